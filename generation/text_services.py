"""Ordering pictures from prompts, from other pictures and inside masks, and larger copies of pictures."""

import logging
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.files.storage import default_storage
from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import User
from generation.exceptions import CannotUpscaleError, StartRefusedError
from generation.models import Generation, Picture
from generation.orders import Start, TextOrder
from generation.prompts import with_style
from generation.services import (
    TEXT_JOB_KIND,
    UPSCALE_JOB_KIND,
    admit_order,
    order_label,
    quote_generation,
)
from generation.starts import open_start, store_start, to_png
from generation.upscaling import DOUBLING, Upscale, plan_upscale
from jobs.services import submit_job

logger = logging.getLogger(__name__)

_LONGEST_OWED = 2000  # signs taken over from a picture's file, which anybody may have written


def start_text_generation(*, owner: User, order: TextOrder) -> Generation:
    """Order pictures from a base that the owner may use, with one of their trained models or none.

    Effect: stores what the pictures start from; inserts the order and its job, which waits in the generate
    queue, and holds its credits, in one transaction. Pictures that are made are charged, the others' credits
    come back when the job ends. Raises TooManyWaitingError, CreditsShort and AccountBlocked, and has stored
    nothing then.
    """
    generation = _with_files(order.start, lambda stored: _insert(owner, order, stored))
    if settings.PROMPT_LOG:
        logger.info("order %s of %s: %r", generation.pk, owner.pk, order.prompt)
    return generation


def start_upscale(*, owner: User, picture: Picture, factor: int = DOUBLING) -> Generation:
    """Order a gallery picture at `factor` times its size (see `plan_upscale`).

    Effect and further errors as of `start_text_generation`. Raises CannotUpscaleError where that is not
    possible, with a sentence that says why.
    """
    upscale = plan_upscale(owner, picture.width, picture.height, factor)
    try:
        with default_storage.open(picture.file) as file:
            image = to_png(open_start(file))
    except (FileNotFoundError, StartRefusedError) as error:
        raise CannotUpscaleError(_("The file of this image is gone. Choose another image.")) from error
    return start_larger_copy(owner=owner, upscale=upscale, start=Start(image=image, picture=picture))


def start_larger_copy(*, owner: User, upscale: Upscale, start: Start) -> Generation:
    """Order a picture, of the size that was planned with, made larger. It costs what one image does.

    Effect and errors as of `start_text_generation`.
    """
    return _with_files(start, lambda stored: _insert_larger(owner, upscale, start, stored))


def _with_files(start: Start | None, insert: Callable[[dict[str, str]], Generation]) -> Generation:
    """Store what an order starts from and insert it; where that fails nothing is left in the storage."""
    stored = _store(start)
    try:
        return insert(stored)
    except BaseException:
        for key in stored.values():
            default_storage.delete(key)
        raise


@transaction.atomic
def _insert(owner: User, order: TextOrder, stored: dict[str, str]) -> Generation:
    admit_order(owner)
    count = len(order.seeds)
    title = order.adapter.model.title if order.adapter else order.base.model.title
    job = submit_job(
        owner=owner,
        kind=TEXT_JOB_KIND,
        label=order_label(count, title),
        total=count,
        quote=quote_generation(count),
        batch_key=order.base.sha256,
    )
    return Generation.objects.create(
        owner=owner,
        job=job,
        kind=order.kind,
        model_version=order.base,
        model_title=order.base.model.title,
        adapter=order.adapter,
        adapter_title=order.adapter.model.title if order.adapter else "",
        prompt=order.prompt,
        settings=_settings(order),
        source_picture=order.start.picture if order.start else None,
        source_file=stored.get("source", ""),
        mask_file=stored.get("mask", ""),
        count=count,
    )


@transaction.atomic
def _insert_larger(owner: User, upscale: Upscale, start: Start, stored: dict[str, str]) -> Generation:
    admit_order(owner)
    title = upscale.version.model.title
    job = submit_job(
        owner=owner,
        kind=UPSCALE_JOB_KIND,
        label=order_label(1, title),
        total=1,
        quote=quote_generation(1),
    )
    size = {"factor": upscale.factor, "width": upscale.width, "height": upscale.height}
    return Generation.objects.create(
        owner=owner,
        job=job,
        kind=Generation.Kind.UPSCALE,
        model_version=upscale.version,
        model_title=title,
        # It is found by the words of what it was made from.
        prompt=start.picture.generation.prompt if start.picture else "",
        settings={"seeds": [start.picture.seed if start.picture else 0], **size},
        source_picture=start.picture,
        source_file=stored["source"],
        count=1,
    )


def _settings(order: TextOrder) -> dict[str, Any]:
    """Return what the order's row keeps beside the prompt: all that the form and the worker need again."""
    told, told_negative = with_style(order.prompt, order.negative_prompt, order.style)
    return {
        "seeds": list(order.seeds),
        "is_seed_chosen": order.is_seed_chosen,
        "negative_prompt": order.negative_prompt,
        "style": order.style.slug if order.style else "",
        "style_title": order.style.title if order.style else "",
        "told": told,
        "told_negative": told_negative,
        "width": order.width,
        "height": order.height,
        "ratio": order.ratio,
        "resolution": order.resolution,
        "steps": order.steps,
        "guidance": order.guidance,
        "adapter_strength": order.adapter_strength,
        "strength": order.strength,
        **_owed(order.start),
    }


def _owed(start: Start | None) -> dict[str, str]:
    """Whom the picture that is started from names, and its licence, as its file tells them."""
    if start is None or start.record is None:
        return {}
    told = {"owed_credit": start.record.credit, "owed_licence": start.record.licence}
    return {name: text[:_LONGEST_OWED] for name, text in told.items() if text}


def _store(start: Start | None) -> dict[str, str]:
    """Store what an order starts from. Return the keys."""
    if start is None:
        return {}
    stored = {"source": store_start(start.image, "source")}
    if start.mask is not None:
        stored["mask"] = store_start(start.mask, "mask")
    return stored
