"""Mixing two models: a preview for nothing, made anew as often as one likes, and then the model."""

from datetime import timedelta
from functools import partial

from django.core.files.storage import default_storage
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from catalog.exceptions import MixRefusedError, TooManyMixesError
from catalog.mixes import judge_mix
from catalog.models import ModelMix, ModelVersion
from catalog.registry import room_refusal
from engines.stylegan.relatives import MixConfig
from jobs.models import Job
from jobs.selectors import active_jobs
from jobs.services import stop_job, submit_job

PREVIEW_KIND = "catalog.mix_preview"
MIX_KIND = "catalog.mix"
# Previews of one person that wait or are made at the same time.
MAX_WAITING = 4
# What was only looked at goes after so long.
KEPT_FOR = timedelta(days=30)


@transaction.atomic
def start_mix(*, owner: User, first: ModelVersion, second: ModelVersion, config: MixConfig) -> ModelMix:
    """Have the pictures of a mix made, to look at. It costs nothing.

    Effect: inserts the mix and the job of its preview, in one transaction. The caller has made sure that the
    owner may use both models. Raises MixRefusedError where their sizes differ, TermsForbid where a licence
    forbids it, TooManyMixesError.
    """
    judge_mix(first=first, second=second, actor=owner)
    # Two orders at once are counted one after the other. Not a full lock: rows that name the user may come.
    User.objects.select_for_update(no_key=True).get(pk=owner.pk)
    if active_jobs(owner).filter(kind=PREVIEW_KIND).count() >= MAX_WAITING:
        raise TooManyMixesError(_("Several of your previews are waiting. Wait a moment, then try again."))
    return ModelMix.objects.create(
        owner=owner,
        first=first,
        second=second,
        config=config.as_dict(),
        preview_job=_submit_preview(owner, first, second),
    )


@transaction.atomic
def change_mix(*, mix: ModelMix, config: MixConfig) -> ModelMix:
    """Weigh the two models otherwise and have the preview made anew. Return the mix as it stands now.

    Effect: one transaction, in which the job of the preview before is stopped; its pictures stay until the
    new ones are there. Raises MixRefusedError where the model is being made already.
    """
    row = _locked(mix)
    if _is_made(row):
        raise MixRefusedError(_("This mix is made. Begin another one of the same two models."))
    if row.preview_job.is_active:
        if row.config == config.as_dict():
            return row
        stop_job(job=row.preview_job, cause="another preview was asked for")
    row.config, row.job = config.as_dict(), None
    row.preview_job = _submit_preview(row.owner, row.first, row.second)
    row.save(update_fields=["config", "job", "preview_job"])
    return row


@transaction.atomic
def make_mix(*, mix: ModelMix, title: str) -> ModelMix:
    """Have the model made, as the preview shows it. Return the mix as it stands now. It costs nothing.

    Effect: one transaction: a job; one that was stopped or failed is replaced. Raises MixRefusedError where
    the owner's storage is full or the model is made already, TermsForbid where a licence forbids it by now.
    """
    row = _locked(mix)
    if _is_made(row):
        raise MixRefusedError(_("This mix is made already. Reload the page to see it."))
    judge_mix(first=row.first, second=row.second, actor=row.owner)
    refusal = room_refusal(row.owner, row.first.size_bytes)
    if refusal:
        raise MixRefusedError(refusal)
    row.title = title
    row.job = submit_job(owner=row.owner, kind=MIX_KIND, label=_("Mixing %(title)s") % {"title": title})
    row.save(update_fields=["title", "job"])
    return row


@transaction.atomic
def delete_mix(*, mix: ModelMix) -> None:
    """Forget a mix with its preview, stopping what is made of it. A model that was made of it stays."""
    row = _locked(mix)
    for job in (row.preview_job, row.job):
        if job is not None and job.is_active:
            stop_job(job=job, cause="the mix was deleted")
    row.delete()
    if row.preview:
        transaction.on_commit(partial(default_storage.delete, row.preview))


def show_preview(*, job: Job, key: str) -> None:
    """Show a stored preview from now on, in the transaction that ends its job.

    Effect: the picture before it goes once that is committed; or this one, where it is wanted no more.
    """
    row = ModelMix.objects.select_for_update(of=("self",)).filter(preview_job=job).first()
    unused = key if row is None else row.preview
    if row is not None:
        row.preview = key
        row.save(update_fields=["preview"])
    if unused:
        transaction.on_commit(partial(default_storage.delete, unused), robust=True)


def forget_old_mixes() -> None:
    """Forget what was only looked at a month ago. A chore; each mix in a transaction of its own."""
    for mix in ModelMix.objects.filter(job=None, created_at__lt=timezone.now() - KEPT_FOR):
        delete_mix(mix=mix)


def _is_made(row: ModelMix) -> bool:
    """Whether there is a model of it, or will be; after a failure, or once it is gone, a mix can change."""
    return row.model_id is not None or (row.job is not None and row.job.is_active)


def _locked(mix: ModelMix) -> ModelMix:
    rows = ModelMix.objects.select_for_update(of=("self",)).select_related(
        "owner", "first__model__owner", "second__model__owner", "preview_job", "job"
    )
    found: ModelMix = rows.get(pk=mix.pk)
    return found


def _submit_preview(owner: User, first: ModelVersion, second: ModelVersion) -> Job:
    titles = {"first": first.model.title, "second": second.model.title}
    label = _("Preview of %(first)s and %(second)s mixed") % titles
    return submit_job(owner=owner, kind=PREVIEW_KIND, label=label)
