"""What making a picture larger takes: which network of the catalog doubles it, how often, and how far."""

from dataclasses import dataclass

from django.conf import settings
from django.utils.translation import gettext as _

from accounts.models import User
from catalog.kinds import outputs_of
from catalog.models import ModelVersion
from catalog.runs import file_input, versions_at
from generation.exceptions import CannotUpscaleError

# How many times as large a picture may become; the network doubles it each time.
FACTORS = (2, 4)
DOUBLING = 2


@dataclass(frozen=True, kw_only=True)
class Upscale:
    """A picture that can be made larger: by which version, how many times, and its size afterwards."""

    version: ModelVersion
    factor: int
    width: int
    height: int


def plan_upscale(user: User, width: int, height: int, factor: int = DOUBLING) -> Upscale:
    """Return how a picture of this size becomes `factor` times as large.

    Raises CannotUpscaleError with a sentence that says why it cannot.
    """
    version = _upscaler(user)
    most = _largest_side(version, factor)
    if max(width, height) > most:
        sentence = _(
            "Pictures of up to %(most)d × %(most)d pixels are made %(factor)d times as large; "
            "this one has %(width)d × %(height)d."
        )
        raise CannotUpscaleError(
            sentence % {"most": most, "factor": factor, "width": width, "height": height}
        )
    return Upscale(version=version, factor=factor, width=width * factor, height=height * factor)


def possible_upscales(user: User, width: int, height: int) -> list[Upscale]:
    """Return the ways in which a picture of this size can become larger, the smallest first.

    Raises CannotUpscaleError where there is none.
    """
    least = plan_upscale(user, width, height)
    return [
        Upscale(version=least.version, factor=factor, width=width * factor, height=height * factor)
        for factor in FACTORS
        if max(width, height) <= _largest_side(least.version, factor)
    ]


def _upscaler(user: User) -> ModelVersion:
    """Return the version that the setting UPSCALE_MODEL names. Raises CannotUpscaleError."""
    handle, _slash, name = settings.UPSCALE_MODEL.partition("/")
    version = versions_at(user, handle, name).first()
    gives_picture = version is not None and any(port.kind == "image" for port in outputs_of(version))
    if version is None or file_input(version) is None or not gives_picture:
        raise CannotUpscaleError(
            _("The model that makes pictures larger, “%(model)s”, is not here. Tell whoever runs the studio.")
            % {"model": settings.UPSCALE_MODEL}
        )
    return version


def _largest_side(version: ModelVersion, factor: int) -> int:
    """Return the longest side that can become `factor` times as long: the network shrinks longer ones."""
    port = file_input(version)
    assert port is not None  # `_upscaler` has looked
    return min(int(settings.UPSCALE_SIDE_MAX), DOUBLING * port.picture.max_side) // factor
