"""What can be done with orders of pictures and with the pictures they made."""

from collections.abc import Sequence
from functools import partial

from django.conf import settings
from django.core.files.storage import default_storage
from django.db import transaction
from django.utils.translation import ngettext

from accounts.models import User
from billing.selectors import Quote, quote_price
from catalog.models import ModelVersion
from generation.exceptions import TooManyWaitingError
from generation.models import Generation, Picture
from generation.seeds import MAX_COUNT
from jobs.fairness import lock_line
from jobs.selectors import active_jobs
from jobs.services import submit_job

JOB_KIND = "generation.pictures"
TEXT_JOB_KIND = "generation.text"
UPSCALE_JOB_KIND = "generation.upscale"
POINT_JOB_KIND = "generation.point"
# Orders that wait for the same model version are made in batches of up to so many pictures.
MAX_TOGETHER = 16
TEXT_MAX_TOGETHER = 8
# The row of the price list: so many credits for a picture.
PRICE_CODE = "picture"


def max_waiting() -> int:
    """Return how many orders one person may have waiting or running: the setting GENERATIONS_WAITING_MAX."""
    return int(getattr(settings, "GENERATIONS_WAITING_MAX", 20))


def quote_generation(count: int) -> Quote:
    """Return what an order of so many pictures costs now."""
    return quote_price(PRICE_CODE, priced_units(count))


def priced_units(count: int) -> int:
    """Return how many generations so many pictures of one order count as: the setting GENERATION_UNIT."""
    return count if settings.GENERATION_UNIT == "image" else min(count, 1)


def admit_order(owner: User) -> None:
    """Let nobody have more than `max_waiting` orders under way; call it in the transaction of the order.

    Raises TooManyWaitingError.
    """
    lock_line(owner.pk)  # two orders at once are counted one after the other
    kinds = (JOB_KIND, TEXT_JOB_KIND, UPSCALE_JOB_KIND, POINT_JOB_KIND)
    if active_jobs(owner).filter(kind__in=kinds).count() >= max_waiting():
        sentence = ngettext(
            "You have %(count)d order waiting. Wait until it is done, or stop it, then try again.",
            "You have %(count)d orders waiting. Wait until one is done, or stop one, then try again.",
            max_waiting(),
        )
        raise TooManyWaitingError(sentence % {"count": max_waiting()})


def order_label(count: int, title: str) -> str:
    """Return what an order's job is called. Prompts do not stand there: jobs are named in logs."""
    label = ngettext("%(count)d image from %(model)s", "%(count)d images from %(model)s", count)
    return label % {"count": count, "model": title}


@transaction.atomic
def start_generation(
    *, owner: User, version: ModelVersion, seeds: Sequence[int], truncation_psi: float
) -> Generation:
    """Order one picture for each seed from a model version that the owner may run.

    Effect: inserts the order and its job, which waits in the generate queue, and holds its credits, in one
    transaction. Pictures that are made are charged, the others' credits come back when the job ends.
    Raises TooManyWaitingError when the owner has `max_waiting` orders under way already, CreditsShort and
    AccountBlocked when they cannot be paid for.
    """
    if not 1 <= len(seeds) <= MAX_COUNT:
        raise ValueError(f"1 to {MAX_COUNT} seeds, not {len(seeds)}")
    admit_order(owner)
    job = submit_job(
        owner=owner,
        kind=JOB_KIND,
        label=order_label(len(seeds), version.model.title),
        total=len(seeds),
        quote=quote_generation(len(seeds)),
        batch_key=version.sha256,
    )
    return Generation.objects.create(
        owner=owner,
        job=job,
        model_version=version,
        model_title=version.model.title,
        settings={"seeds": list(seeds), "truncation_psi": truncation_psi},
        count=len(seeds),
    )


def set_favourite(*, picture: Picture, is_favourite: bool) -> None:
    """Mark a picture as a favourite, or no longer."""
    picture.is_favourite = is_favourite
    picture.save(update_fields=["is_favourite"])


@transaction.atomic
def delete_picture(*, picture: Picture) -> None:
    """Delete a picture and, once that is committed, its file.

    With an order's last picture goes what it started from: nothing else shows it.
    """
    picture.delete()
    files = [picture.file]
    order = (
        Generation.objects.select_for_update(of=("self",)).select_related("job").get(pk=picture.generation_id)
    )
    if not order.job.is_active and not order.pictures.exists():
        files += [key for key in (order.source_file, order.mask_file) if key]
        Generation.objects.filter(pk=order.pk).update(source_file="", mask_file="")
    for key in files:
        transaction.on_commit(partial(default_storage.delete, key))
