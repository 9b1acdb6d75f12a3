"""Links that fill the form of Text to Image: from models, from pictures, from earlier orders."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.urls import reverse

from accounts.models import User
from catalog.selectors import find_trained
from generation.forms import seed_values
from generation.models import Generation, Picture, SavedPoint
from generation.prompts import MAX_LENGTH, Keyword
from generation.sizes import nearest_ratio

# What a picture is used for, and how much of it is changed at first.
USES = {"variations": 0.5, "start": 0.7, "mask": 1.0}
# Fields that a link may fill in by their names.
LINKED = (
    "base", "adapter", "prompt", "negative_prompt", "style", "ratio", "resolution", "count", "steps",
    "guidance", "seed", "adapter_strength", "strength", "sent",
)  # fmt: skip


def linked_values(user: User, query: Mapping[str, str]) -> dict[str, Any]:
    """Return what a link puts into the form.

    `remix` names an order and `picture` a picture of the user's, whose settings come back; with `use`, one
    of `USES`, the picture is what the new ones start from. Other fields go by their own names and win. A link
    to a trained model alone begins the prompt with its keyword.
    """
    values: dict[str, Any] = {}
    picture = _own(Picture, user, query.get("picture", ""))
    order = picture.generation if picture else _own(Generation, user, query.get("remix", ""))
    if order is not None and order.is_from_text:
        values = remix_values(order)
    if picture is not None:
        values |= _from_picture(picture, query.get("use", ""))
    given = {name: query[name][: MAX_LENGTH + 1] for name in LINKED if name in query}
    return _with_keyword(user, {**values, **given})


def remix_values(order: Generation) -> dict[str, Any]:
    """Return everything that made an order's pictures, as the form takes it.

    Of a larger copy: what made the picture that it was made from, and the latter to go on from.
    """
    if order.kind == Generation.Kind.UPSCALE:
        original = original_of(order)
        values = remix_values(original.generation) if original and original.generation.is_from_text else {}
        return {**values, "kept": str(order.pk)}
    told = order.settings
    return {
        "base": order.model_version.model.address if order.model_version else "",
        "adapter": order.adapter.model.address if order.adapter else "",
        "prompt": order.prompt,
        "negative_prompt": told["negative_prompt"],
        "style": told["style"],
        "ratio": told["ratio"],
        "resolution": told["resolution"] or "",  # none was chosen where the size came from elsewhere
        "count": order.count,
        "steps": told["steps"],
        "guidance": told["guidance"],
        "seed": order.seeds[0],
        "adapter_strength": told["adapter_strength"],
        "strength": told["strength"],
        "kept": str(order.pk) if order.source_file else "",
    }


def page_values(order: Generation) -> dict[str, Any]:
    """Return what the form on an order's own page says: what was asked for.

    A seed that was drawn by lot is not among it: the next press of the button makes new pictures.
    """
    values = remix_values(order)
    return values if order.settings.get("is_seed_chosen") else {**values, "seed": None}


def original_of(order: Generation) -> Picture | None:
    """Return the picture that a larger copy was made from in the first place, None where that is gone."""
    picture: Picture | None = order.source_picture
    while picture is not None and picture.generation.kind == Generation.Kind.UPSCALE:
        picture = picture.generation.source_picture
    return picture


def remix_url(order: Generation, picture: Picture | None = None) -> str:
    """Return where all settings of an order, or of one of its pictures, are back in their form.

    Those of a larger copy are its original's. "" where the model that made it is gone.
    """
    if order.kind == Generation.Kind.UPSCALE:
        original = original_of(order)
        return remix_url(original.generation, original) if original else ""
    if order.model_version is None:
        return ""
    if order.kind == Generation.Kind.POINT:
        saved = SavedPoint.objects.filter(pk=order.settings["saved"]).first()
        return saved.get_absolute_url() if saved else ""
    if order.is_from_text:
        query = {"picture": picture.pk} if picture else {"remix": order.pk}
        return f"{reverse('generation:generation_create')}?{urlencode(query)}"
    seeds = seed_values(order, [picture.seed] if picture else None)
    return f"{reverse('generation:seeds_create')}?{urlencode(seeds)}"


def picture_url(picture: Picture, use: str) -> str:
    """Return where a picture is what new ones start from, in one of the `USES`."""
    query = urlencode({"picture": picture.pk, "use": use})
    return f"{reverse('generation:generation_create')}?{query}"


def _from_picture(picture: Picture, use: str) -> dict[str, Any]:
    if use not in USES:
        return {"seed": picture.seed, "count": 1}
    values: dict[str, Any] = {"picture": str(picture.pk), "kept": "", "strength": USES[use], "seed": None}
    values["ratio"] = nearest_ratio(picture.width, picture.height)
    return values | ({"use": use} if use == "mask" else {})


def _with_keyword(user: User, values: dict[str, Any]) -> dict[str, Any]:
    if values.get("adapter") and not values.get("prompt"):
        adapter = find_trained(user, str(values["adapter"]))
        values["prompt"] = Keyword.of(adapter).put_into("") if adapter else ""
    return values


def _own(model: Any, user: User, key: str) -> Any:
    """Return the user's own row of that number, None where there is none."""
    try:
        number = UUID(key)
    except ValueError:
        return None
    rows = model.objects.owned_by(user)
    order = "" if model is Generation else "generation__"
    related = [f"{order}{role}__model__owner" for role in ("model_version", "adapter")]
    return rows.select_related(*related).filter(pk=number).first()
