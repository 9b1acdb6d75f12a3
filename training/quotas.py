"""How much of their plan's storage people use: their datasets, models, imports, runs, walks."""

from dataclasses import dataclass

from django.conf import settings
from django.db.models import Sum
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _

from accounts.models import User
from billing.selectors import plan_of
from catalog.models import ModelRun, ModelVersion
from catalog.registry import stored_above
from catalog.services.imports import open_imports
from training.exceptions import StorageFull
from training.models import Dataset
from training.needs import Level

# From here on the page says that it will soon be full.
_NEARLY_FULL = 90


@dataclass(frozen=True, kw_only=True)
class Storage:
    """What an account has stored and may store, in bytes; `runs` with walks. `is_sold`: plans have more."""

    datasets: int
    models: int
    runs: int
    allowed: int
    is_sold: bool

    @property
    def used(self) -> int:
        """Everything that counts."""
        return self.datasets + self.models + self.runs

    @property
    def percent(self) -> int:
        """How full it is, at most 100."""
        return min(100, 100 * self.used // self.allowed) if self.allowed else 100

    @property
    def is_full(self) -> bool:
        """Whether nothing more can be added."""
        return self.used >= self.allowed

    @property
    def level(self) -> Level:
        """How that is to be taken."""
        if self.is_full:
            return "poor"
        return "fair" if self.percent >= _NEARLY_FULL else "good"

    @property
    def sentence(self) -> str:
        """What to do about it; "" while there is room."""
        if self.is_full:
            if not self.is_sold:
                return _("Your storage is full. Delete a dataset, a model or a run that you no longer need.")
            return _(
                "Your storage is full. Delete a dataset, a model or a run, or choose a plan with more of it."
            )
        if self.percent >= _NEARLY_FULL:
            left = filesizeformat(self.allowed - self.used)
            return _("Nearly full: %(left)s are left. Delete what you no longer need.") % {"left": left}
        return ""


def storage_of(user: User) -> Storage:
    """Return what the user has stored, against their plan (the house's in house mode). Six queries."""
    datasets = Dataset.objects.owned_by(user).aggregate(total=Sum("size_bytes", default=0))
    models = ModelVersion.objects.filter(model__owner=user).aggregate(total=Sum("size_bytes", default=0))
    imports = open_imports().filter(owner=user).aggregate(total=Sum("size_bytes", default=0))
    runs = ModelRun.objects.owned_by(user).aggregate(total=Sum("size_bytes", default=0))
    return Storage(
        datasets=datasets["total"],
        models=models["total"] + imports["total"],
        runs=runs["total"] + stored_above(user),
        allowed=plan_of(user).storage_bytes,
        is_sold=settings.CREDITS_ENABLED,
    )


def judge_storage(owner: User, extra_bytes: int = 0) -> Storage:
    """Return what the owner has stored. Raises StorageFull when there is no room for so many bytes more."""
    storage = storage_of(owner)
    if storage.is_full or storage.used + extra_bytes > storage.allowed:
        raise StorageFull(
            _(
                "There is no room for this: you use %(used)s of the %(allowed)s that your plan has. "
                "Delete a dataset, a model or a run, then add the rest again."
            )
            % {"used": filesizeformat(storage.used), "allowed": filesizeformat(storage.allowed)}
        )
    return storage


def room_refusal(owner: User, extra_bytes: int) -> str:
    """Return why the owner can store no more, "" when there is room: what the catalog asks."""
    try:
        judge_storage(owner, extra_bytes)
    except StorageFull as refusal:
        return str(refusal)
    return ""
