"""Many signed-in browsers with a live page open each, light enough not to be what is measured.

Open loop: polls fall due at a fixed rate whether earlier ones are answered or not, and each is timed from the
moment at which it fell due. A server that stalls is charged for every poll that had to wait meanwhile.
"""

import asyncio
import re
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

_REV = re.compile(rb"\?rev=([^&\"]+)")
# Polls that were not answered so long after the last one fell due are given up.
_PATIENCE_SECONDS = 10.0


@dataclass
class OpenPage:
    """One page in one browser: where it polls, who it says it is, and the revision that it shows."""

    path: str
    cookie: str
    rev: str = "0"
    # Makes the next poll find something new, as a worker would.
    change: Callable[[], None] | None = None

    def request(self, *, in_full: bool) -> bytes:
        """Return the bytes of the next poll; `in_full` claims to show nothing yet."""
        rev = "0" if in_full else self.rev
        return (
            f"GET {self.path}?rev={rev} HTTP/1.1\r\nHost: 127.0.0.1\r\nHX-Request: true\r\n"
            f"Cookie: {self.cookie}\r\n\r\n"
        ).encode()


@dataclass
class Answers:
    """What came back of one load: the milliseconds of every poll, by status."""

    seconds: float = 0.0
    times: dict[int, list[float]] = field(default_factory=dict)
    lost: int = 0

    @property
    def all_times(self) -> list[float]:
        """Every poll's time in ms, in ascending order."""
        return sorted(value for values in self.times.values() for value in values)

    @property
    def a_second(self) -> float:
        """How many polls were answered a second."""
        return len(self.all_times) / self.seconds

    def percentile(self, percent: int) -> float:
        """Return the time in ms within which so many of a hundred polls were answered."""
        return statistics.quantiles(self.all_times, n=100)[percent - 1]

    def take(self, status: int, milliseconds: float) -> None:
        """Count one answer."""
        self.times.setdefault(status, []).append(milliseconds)


class Connection(asyncio.Protocol):
    """A keep-alive connection on which a page's polls wait for each other, as they do in a browser."""

    def __init__(self, page: OpenPage, answers: Answers, *, in_full: bool) -> None:
        self._page = page
        self._answers = answers
        self._in_full = in_full
        self._transport: asyncio.Transport | None = None
        self._received = b""
        self._due: list[float] = []

    @property
    def waiting(self) -> int:
        """How many polls have not been answered."""
        return len(self._due)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """Count what was not answered."""
        self._answers.lost += len(self._due)
        self._due.clear()
        self._transport = None

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()

    def poll(self, due: float) -> None:
        """Ask, now or once the polls before are answered."""
        if self._transport is None:
            self._answers.lost += 1
            return
        self._due.append(due)
        if len(self._due) == 1:
            self._ask()

    def data_received(self, data: bytes) -> None:
        """Put an answer together; when it is whole, note its time and the revision in it."""
        self._received += data
        head, separator, body = self._received.partition(b"\r\n\r\n")
        if not separator:
            return
        length = re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)
        if length is not None and len(body) < int(length[1]):
            return
        self._received = b""
        self._answers.take(int(head[9:12]), (time.monotonic() - self._due.pop(0)) * 1000)
        if found := _REV.search(body):
            self._page.rev = found[1].decode()
        if self._due:
            self._ask()

    def _ask(self) -> None:
        if self._transport is not None:
            self._transport.write(self._page.request(in_full=self._in_full))


def load(
    port: int,
    pages: Sequence[OpenPage],
    *,
    rate: float,
    duration: float,
    changed_every: int = 0,
    in_full: bool = False,
) -> Answers:
    """Have the pages poll in turn, `rate` times a second together, for so many seconds.

    Before every `changed_every`th poll something changes on its page (0: never). `in_full` asks for the whole
    fragment every time.
    """
    return asyncio.run(_load(port, pages, rate, duration, changed_every, in_full=in_full))


async def _load(
    port: int, pages: Sequence[OpenPage], rate: float, duration: float, changed_every: int, *, in_full: bool
) -> Answers:
    answers = Answers()
    loop = asyncio.get_running_loop()
    connections: list[Connection] = []
    for page in pages:
        connect = partial(Connection, page, answers, in_full=in_full)
        _transport, connection = await loop.create_connection(connect, "127.0.0.1", port)
        connections.append(connection)
    begin = time.monotonic()
    for number in range(int(rate * duration)):
        due = begin + number / rate
        if (pause := due - time.monotonic()) > 0:
            await asyncio.sleep(pause)
        place = number % len(pages)
        change = pages[place].change
        if changed_every and number % changed_every == 0 and change is not None:
            change()
        connections[place].poll(due)
    give_up_at = time.monotonic() + _PATIENCE_SECONDS
    while any(connection.waiting for connection in connections) and time.monotonic() < give_up_at:
        await asyncio.sleep(0.005)
    answers.seconds = time.monotonic() - begin
    for connection in connections:
        connection.close()
    await asyncio.sleep(0)
    return answers
