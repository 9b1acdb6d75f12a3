"""The clock beside a training under way: when it will be done, and what its parts took."""

import time
from dataclasses import dataclass

from engines.stylegan.speed import Speed

# The mean of a step's seconds follows a machine whose load changes within so many steps.
_STEPS_REMEMBERED = 64
# What was expected counts for as many steps as this at first.
_STEPS_EXPECTED = 8
# Where nothing is known of a machine but a training that prepared no pictures, and made no snapshot.
_UNKNOWN_PICTURE, _UNKNOWN_SNAPSHOT = 0.03, 1.0


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a training does: so many steps, and a snapshot every so many, the last one included.

    `snapshot` is how long one takes, `first` the first one, in units of `Speed.snapshot`.
    """

    steps: int
    snapshot_every: int
    snapshot: float = 1.0
    first: float = 1.0

    def worth_after(self, done: int) -> float:
        """How long all snapshots take that are planned after step `done`, in the same units."""
        count = -(-self.steps // self.snapshot_every) - done // self.snapshot_every
        return count * self.snapshot + (self.first - self.snapshot if done < self.snapshot_every else 0.0)


@dataclass(frozen=True, kw_only=True)
class Taken:
    """What the parts of an attempt took, in seconds as in `Speed`; None: it had no such part."""

    steps: int
    start: float
    step: float
    snapshot: float | None = None
    picture: float | None = None

    def completed(self, known: Speed | None) -> Speed:
        """Return a whole `Speed`: what this attempt did not have is as it was known."""
        known = known or Speed(
            start=0.0, step=self.step, snapshot=_UNKNOWN_SNAPSHOT, picture=_UNKNOWN_PICTURE
        )
        return Speed(
            start=self.start,
            step=self.step,
            snapshot=known.snapshot if self.snapshot is None else self.snapshot,
            picture=known.picture if self.picture is None else self.picture,
        )


class Pace:
    """Notes what an attempt does, and when: the time from one note to the next is what was noted last."""

    def __init__(
        self,
        plan: Plan,
        *,
        megapixels: float,
        done: int,
        expected: Speed | None,
        waited: float,
    ) -> None:
        """Begin at step `done`, so many seconds after the attempt began.

        `megapixels`: the work that all pictures are, for the time of preparing them.
        """
        self._plan, self._megapixels = plan, megapixels
        self._expected = expected
        self._noted = time.monotonic() - waited
        self._start = 0.0
        self._preparing, self._share_prepared = 0.0, 0.0
        # The first step belongs to the start: it chooses kernels.
        self._has_begun = False
        self._steps, self._seconds = 0, 0.0
        self._recent = expected.step if expected else 0.0
        self._is_first_snapshot = done < plan.snapshot_every
        self._snapshots, self._worth = 0.0, 0.0

    def note_loaded(self) -> None:
        """What comes before the pictures is loaded."""
        self._start += self._lap()

    def note_picture(self, done: int, total: int) -> None:
        """So many pictures are fetched, or prepared. Not called where they were ready."""
        self._preparing += self._lap()
        self._share_prepared = done / total

    def note_step(self) -> None:
        """A step is done."""
        seconds = self._lap()
        if not self._has_begun:
            self._has_begun = True
            self._start += seconds
            return
        self._steps += 1
        self._seconds += seconds
        remembered = self._steps + (_STEPS_EXPECTED if self._expected else 0)
        self._recent += (seconds - self._recent) / min(remembered, _STEPS_REMEMBERED)

    def note_snapshot(self, *, is_planned: bool) -> None:
        """The snapshot that followed the last step is stored; a sample is nothing that was planned."""
        seconds = self._lap()
        if not is_planned:
            return
        self._snapshots += seconds
        self._worth += self._plan.first if self._is_first_snapshot else self._plan.snapshot
        self._is_first_snapshot = False

    def seconds_left(self, step: int) -> float | None:
        """Return how long the training will take after this step; None before anything is known."""
        if not self._recent:
            return None
        worth = self._plan.worth_after(step)
        left = (self._plan.steps - step) * self._recent + worth * self._snapshot_seconds()
        return left if self._has_begun else left + self._seconds_until_begun()

    def taken(self) -> Taken | None:
        """Return what the parts of the attempt took so far; None before its second step."""
        if not self._steps:
            return None
        step = self._seconds / self._steps
        return Taken(
            steps=self._steps,
            start=max(0.0, self._start - step),
            step=step,
            snapshot=self._snapshots / self._worth if self._worth else None,
            picture=self._preparing / self._megapixels if self._preparing and self._megapixels else None,
        )

    def _seconds_until_begun(self) -> float:
        """The rest of the start, and of the pictures once some are prepared."""
        start = max(0.0, self._expected.start - self._start) if self._expected else 0.0
        if not self._share_prepared:
            return start
        return start + self._preparing * (1 / self._share_prepared - 1)

    def _snapshot_seconds(self) -> float:
        if self._worth:
            return self._snapshots / self._worth
        return self._expected.snapshot if self._expected else 0.0

    def _lap(self) -> float:
        now = time.monotonic()
        lap, self._noted = now - self._noted, now
        return lap
