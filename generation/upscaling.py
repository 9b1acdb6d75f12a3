"""What making a picture larger takes: which base redraws it, by which words, and how large it may be."""

from django.conf import settings
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from accounts.models import User
from catalog.models import ModelVersion
from catalog.selectors import base_models, trained_models
from engines.diffusion.tiles import FACTOR, tiling_of
from generation.exceptions import CannotUpscaleError
from generation.models import Picture
from generation.orders import TextOrder

# Low enough that nothing changes its place, high enough that edges become edges again; lower where the base
# is not told what it sees, and may never have seen the like.
STRENGTH = 0.3
STRENGTH_WITHOUT_WORDS = 0.15
# More tiles than these take longer than anybody waits.
MAX_TILES = 64


def plan_upscale(user: User, picture: Picture) -> TextOrder:
    """Return the order that makes a gallery picture larger, still without its pixels.

    It is redrawn by the models and the words that made it. Where these are gone, or it came from seeds, the
    first base of the studio does it. Raises CannotUpscaleError with a sentence that says why.
    """
    made_by, told = picture.generation, picture.generation.settings
    own = _if_usable(made_by.model_version, base_models(user)) if made_by.is_from_text else None
    base = own or base_models(user).first()
    if base is None:
        raise CannotUpscaleError(
            _("Upscaling redraws it with a base model of Text to Image, and this studio has none yet.")
        )
    return plan_larger(
        (picture.width, picture.height),
        base=base,
        adapter=_if_usable(made_by.adapter, trained_models(user)) if own else None,
        adapter_strength=told.get("adapter_strength", 1.0),
        prompt=made_by.prompt,
        negative_prompt=told.get("negative_prompt", ""),
        told=(told.get("told", ""), told.get("told_negative", "")),
        seed=picture.seed,
        steps=told.get("steps") if own else None,
        guidance=told.get("guidance") if own else None,
    )


def plan_larger(
    size: tuple[int, int],
    *,
    base: ModelVersion,
    adapter: ModelVersion | None,
    adapter_strength: float,
    prompt: str,
    negative_prompt: str,
    seed: int,
    told: tuple[str, str] | None = None,
    steps: int | None = None,
    guidance: float | None = None,
) -> TextOrder:
    """Return the order that makes a picture of this size (width, height) larger, still without its pixels.

    Raises CannotUpscaleError where it would become larger than the studio makes them.
    """
    width, height = size
    side = base.resolution or max(size)
    if not _may_be_made(width, height, side):
        raise CannotUpscaleError(
            _(
                "With “%(base)s” pictures of up to %(most)d × %(most)d pixels are made larger; "
                "this one has %(width)d × %(height)d."
            )
            % {"base": base.model.title, "most": largest_side(side), "width": width, "height": height}
        )
    return TextOrder(
        base=base,
        adapter=adapter,
        adapter_strength=adapter_strength,
        prompt=prompt,
        negative_prompt=negative_prompt,
        told=told,
        width=width * FACTOR,
        height=height * FACTOR,
        seeds=[seed],
        steps=steps,
        guidance=guidance,
        strength=STRENGTH if prompt else STRENGTH_WITHOUT_WORDS,
        is_upscale=True,
    )


def largest_side(base_side: int) -> int:
    """Return the side of the largest square that a base of this size makes larger."""
    most: int = settings.UPSCALE_SIDE_MAX // FACTOR
    return next((side for side in range(most, 0, -1) if _may_be_made(side, side, base_side)), 0)


def _if_usable(version: ModelVersion | None, usable: QuerySet[ModelVersion]) -> ModelVersion | None:
    return version if version and usable.filter(model=version.model_id).exists() else None


def _may_be_made(width: int, height: int, base_side: int) -> bool:
    if max(width, height) * FACTOR > settings.UPSCALE_SIDE_MAX:
        return False
    return len(tiling_of(width, height, base_side).corners) <= MAX_TILES
