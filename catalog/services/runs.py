"""Ordering runs of models and of chains of them; a run is a job, and what is made is paid for."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.conf import settings
from django.core.files import File
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.models import User
from billing.selectors import Quote
from catalog.exceptions import RunRefusedError, TooManyRunsError
from catalog.models import ModelRun, ModelVersion, RunItem, RunStep
from catalog.registry import room_refusal
from catalog.runs import PREFIX, check_chain, files_of, quote_run
from jobs.models import Job
from jobs.selectors import active_jobs
from jobs.services import submit_job

JOB_KIND = "catalog.run"
MAX_ITEMS = 100


@dataclass(frozen=True, kw_only=True)
class StepOrder:
    """A version to run, and what its inputs are set to, by their names; pictures are the items'."""

    version: ModelVersion
    settings: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class ItemOrder:
    """One input of the first step: a file as it was brought, or a stored one; neither where it takes none."""

    name: str = ""
    file: File[bytes] | None = None
    stored: str = ""


def max_waiting() -> int:
    """Return how many runs one person may have waiting or running: the setting RUNS_WAITING_MAX."""
    return int(getattr(settings, "RUNS_WAITING_MAX", 20))


@transaction.atomic
def start_run(
    *, owner: User, steps: Sequence[StepOrder], items: Sequence[ItemOrder], title: str = ""
) -> ModelRun:
    """Order that every item goes through every step.

    Effect: stores the items' files, inserts the run and its job, which waits in the generate queue, and holds
    its credits, in one transaction. An item that comes out is charged, the others' credits come back when the
    job ends; the pictures that it makes count towards the owner's storage. `title`: of a chain; by default
    the model's.

    Raises ChainRefusedError where a step does not fit, RunRefusedError for too many items or no room,
    TooManyRunsError, CreditsShort and AccountBlocked.
    """
    versions = [step.version for step in steps]
    check_chain(versions)
    if not 1 <= len(items) <= MAX_ITEMS:
        raise RunRefusedError(_("Give 1 to %(max)d files at a time.") % {"max": MAX_ITEMS})
    _admit(owner, items)
    title = title or versions[0].model.title
    quote = quote_run([version.model for version in versions], len(items))
    job = submit_job(
        owner=owner,
        kind=JOB_KIND,
        label=_label(len(items), title),
        total=len(items),
        quote=Quote(credits=quote.credits, price=quote.steps[0].price),
    )
    run = ModelRun.objects.create(owner=owner, job=job, title=title, count=len(items))
    RunStep.objects.bulk_create(
        RunStep(
            run=run,
            position=place,
            version=step.version,
            model_title=step.version.model.title,
            version_sha256=step.version.sha256,
            settings=dict(step.settings),
            price=quote.steps[place].price,
        )
        for place, step in enumerate(steps)
    )
    RunItem.objects.bulk_create(
        RunItem(run=run, position=place, name=item.name[:200], file=_store(run.pk, place, item))
        for place, item in enumerate(items)
    )
    return run


def _admit(owner: User, items: Sequence[ItemOrder]) -> None:
    # Two orders at once are counted one after the other. Not a full lock: rows that name the user may come.
    User.objects.select_for_update(no_key=True).get(pk=owner.pk)
    if active_jobs(owner).filter(kind=JOB_KIND).count() >= max_waiting():
        raise TooManyRunsError(
            _("You have %(count)d runs waiting. Wait until one is done, or stop one, then try again.")
            % {"count": max_waiting()}
        )
    refusal = room_refusal(owner, sum(item.file.size for item in items if item.file is not None))
    if refusal:
        raise RunRefusedError(refusal)


def _label(count: int, title: str) -> str:
    label = ngettext("%(model)s, %(count)d run", "%(model)s, %(count)d runs", count)
    return label % {"count": count, "model": title}


def _store(run: uuid.UUID, place: int, item: ItemOrder) -> str:
    key = f"{PREFIX}/{run}/{place:03d}"
    if item.file is not None:
        return default_storage.save(key, item.file)
    if not item.stored:
        return ""
    try:
        with default_storage.open(item.stored) as stored:
            return default_storage.save(key, ContentFile(stored.read()))
    except FileNotFoundError as error:
        raise RunRefusedError(_("That picture is gone. Choose another one.")) from error


def cost_of(job: Job, units: int) -> int:
    """Return the credits for so many delivered items: the sum over the steps, at the prices agreed."""
    steps = RunStep.objects.filter(run__job=job).select_related("price")
    return sum(step.price.for_quantity(units) for step in steps if step.price is not None)


def note_run_end(job: Job) -> None:
    """Remove what was brought and is not run any more; part of the transaction that ends the job."""
    waiting = RunItem.objects.filter(run__job=job, file__startswith=f"{PREFIX}/")
    files = list(waiting.values_list("file", flat=True))
    waiting.update(file="")
    for key in files:
        transaction.on_commit(partial(default_storage.delete, key))


@transaction.atomic
def delete_run(*, run: ModelRun) -> None:
    """Delete a run that has ended and, once that is committed, its files. Its receipt stays.

    Raises RunRefusedError while it goes on.
    """
    if run.job.is_active:
        raise RunRefusedError(_("This is still running. Stop it first, then delete it."))
    files = files_of(run)
    run.delete()
    for key in files:
        transaction.on_commit(partial(default_storage.delete, key))
