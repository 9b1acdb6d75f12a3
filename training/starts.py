"""What a training can start from, as the wizard offers it: a snapshot, models, or nothing but a size."""

from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import User
from catalog.models import ModelVersion
from catalog.selectors import starting_points
from catalog.terms import Action, refusals
from engines.stylegan.config import PRESETS, Architecture, Preset, preset_for
from jobs.machines import AWAY_AFTER, gibibytes
from jobs.models import Machine
from training.models import Experiment, Snapshot
from training.services.experiments import choose_preset, needs_bytes

# In the order in which people should look at them.
CONTINUED, SHIPPED, OWN, OTHERS, SCRATCH = "continued", "shipped", "own", "others", "scratch"
_GROUPS: dict[str, Promise] = {
    CONTINUED: gettext_lazy("Continue"),
    SHIPPED: gettext_lazy("Made for starting"),
    OWN: gettext_lazy("Your model"),
    OTHERS: gettext_lazy("Model of others"),
    SCRATCH: gettext_lazy("From scratch"),
}
_SCRATCH_TITLES: dict[str, Promise] = {
    "cpu64": gettext_lazy("Quick"),
    "cpu64-hq": gettext_lazy("Finer"),
}
_SCRATCH_TEXTS: dict[str, Promise] = {
    "cpu64": gettext_lazy("A small model for any computer."),
    "cpu64-hq": gettext_lazy("A larger model, about five times slower."),
}


@dataclass(frozen=True, kw_only=True)
class Start:
    """One starting point.

    `value` is what the form sends, `picture` the address of a sheet of samples ("" for none). `usual_steps`
    usually suffice. `needed_bytes` is the memory it asks of a device; 0: any machine will do. `refusal` is
    the sentence of its licences that forbids a training from it, "" where none does.
    """

    value: str
    group: str
    title: str
    text: str
    preset_name: str
    preset: Preset
    needed_bytes: int
    version: ModelVersion | None = None
    snapshot: Snapshot | None = None
    picture: str = ""
    refusal: str = ""

    @property
    def resolution(self) -> int:
        """Pixels a side of what the model makes."""
        return self.preset.architecture.resolution

    @property
    def kind(self) -> Promise:
        """What sort of a starting point it is."""
        return _GROUPS[self.group]

    @property
    def is_scratch(self) -> bool:
        """Whether there is nothing to go on from."""
        return self.group == SCRATCH

    @property
    def usual_steps(self) -> int:
        """How many steps usually suffice."""
        return self.preset.scratch_steps if self.is_scratch else self.preset.transfer_steps

    @property
    def in_words(self) -> str:
        """What a training from here begins with."""
        if self.is_scratch:
            return _("From scratch")
        sentence = _("Continued from %(name)s") if self.snapshot else _("From %(name)s")
        return sentence % {"name": self.title}

    @property
    def needs(self) -> str:
        """The device memory that it takes, in words; "" where any machine will do."""
        return gibibytes(self.needed_bytes) if self.needed_bytes else ""

    def plan(self, *, steps: int, **fields: Any) -> Experiment:
        """Return an experiment from here, a row that is not stored."""
        origin = self.snapshot.experiment.starting_point if self.snapshot else self.version
        return Experiment(
            starting_point=origin,
            continued_from=self.snapshot,
            preset=self.preset_name,
            resolution=self.resolution,
            steps=steps,
            **fields,
        )


def find_starts(user: User, snapshot: Snapshot | None = None) -> list[Start]:
    """All that a user's training can start from, those that know something first. At most four queries.

    `snapshot` is the one to continue from, with its experiment and that one's starting point. What may not be
    trained from is listed with its reason.
    """
    continued = [_from_snapshot(snapshot)] if snapshot is not None else []
    versions = list(starting_points(user))
    refused = refusals(versions, Action.DERIVE, actor=user)
    models = [_from_version(version, user, refused.get(version.pk, "")) for version in versions]
    scratch = [_from_scratch(name, preset) for name, preset in PRESETS.items()]
    order = list(_GROUPS)
    return sorted([*continued, *models, *scratch], key=lambda start: order.index(start.group))


@dataclass(frozen=True)
class Room:
    """What the machines that take jobs now offer: the largest device's memory, and whether one has a card."""

    largest: int
    has_card: bool

    def judge(self, start: Start) -> str:
        """Say what speaks against a starting point here; "" when nothing does."""
        if start.needed_bytes > self.largest:
            return _("No machine here can hold it now; it would wait until one can.")
        if start.needed_bytes and not self.has_card:
            return _("No graphics card is here now; on a processor it takes weeks.")
        return ""


def find_room() -> Room:
    """Look at the machines that take jobs now. One query."""
    here = Machine.objects.filter(seen_at__gte=timezone.now() - AWAY_AFTER, is_draining=False)
    devices = list(here.values_list("device", "device_bytes"))
    return Room(
        largest=max((nbytes for _device, nbytes in devices), default=0),
        has_card=any(device != "cpu" for device, _nbytes in devices),
    )


def _from_snapshot(snapshot: Snapshot) -> Start:
    experiment = snapshot.experiment
    preset = PRESETS[experiment.preset]
    if experiment.starting_point is not None:
        preset = preset_for(Architecture.from_dict(experiment.starting_point.manifest["architecture"]))
    address = reverse("training:snapshot_grid", args=[experiment.pk, snapshot.pk])
    return Start(
        value=f"snapshot:{snapshot.pk}",
        group=CONTINUED,
        title=experiment.name,
        text=_("What it knew at step %(step)s.") % {"step": f"{snapshot.step:,}"},
        preset_name=experiment.preset,
        preset=preset,
        needed_bytes=needs_bytes(preset, {}),
        snapshot=snapshot,
        picture=f"{address}?attempt={snapshot.attempt}",
    )


def _from_version(version: ModelVersion, user: User, refusal: str) -> Start:
    model = version.model
    name, preset = choose_preset(version)
    group = SHIPPED if model.is_starter else OWN if model.owner_id == user.pk else OTHERS
    grid = reverse("catalog:file_download", args=[model.owner.handle, model.name, "grid.png"])
    return Start(
        value=str(version.pk),
        group=group,
        title=model.title,
        text=model.tagline,
        preset_name=name,
        preset=preset,
        needed_bytes=needs_bytes(preset, {}),
        version=version,
        # `starting_points` says of each whether it has a sheet of samples.
        picture=f"{grid}?v={version.sha256}" if getattr(version, "has_grid", False) else "",
        refusal=refusal,
    )


def _from_scratch(name: str, preset: Preset) -> Start:
    size = _("%(side)d px") % {"side": preset.architecture.resolution}
    return Start(
        value=name,
        group=SCRATCH,
        title=f"{_SCRATCH_TITLES[name]}, {size}" if name in _SCRATCH_TITLES else size,
        text=str(_SCRATCH_TEXTS.get(name, _("For a graphics card."))),
        preset_name=name,
        preset=preset,
        needed_bytes=needs_bytes(preset, {}),
    )
