"""Starting AI trainings, and saving what they have learned."""

import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from django.conf import settings as studio
from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import User
from billing.services import return_free_training, use_free_training
from catalog.models import CatalogModel, Derivation, ModelVersion
from catalog.services import add_version, publish_version, suggest_names
from catalog.services.licences import judge_derivation
from engines.diffusion.manifests import LoraManifest, write_lora_manifest
from engines.errors import ConfigError, ModelError
from jobs.files import fetch_folder
from jobs.mail import plan_end_mail
from jobs.models import Job, State
from jobs.services import submit_job
from training.ai_plans import config_of, needs_bytes, preset_of, prompts_of
from training.ai_prices import quote_ai_training
from training.captions import ai_caption
from training.exceptions import DatasetUnfit, ExperimentBusy, SettingsRefused, SnapshotMissing
from training.keywords import judge_keyword
from training.kinds import AI_TRAINING
from training.models import AISnapshot, AITraining, AITrainingDraft, Dataset, Purpose
from training.services.drafts import refuse_too_many
from training.services.experiments import describe_data
from training.services.steering import resume_training
from training.services.versions import freeze_version


@transaction.atomic
def start_ai_training(
    *,
    owner: User,
    dataset: Dataset,
    base: ModelVersion,
    name: str,
    keyword: str,
    subject: str,
    steps: int,
    seed: int = 0,
    settings: Mapping[str, Any] | None = None,
    sample_prompts: Sequence[str] = (),
    is_free: bool = False,
) -> AITraining:
    """Freeze the dataset and submit a training of what its purpose says on a base.

    `settings` overrides single fields of the preset's TrainConfig. `sample_prompts` are made into pictures
    with every snapshot, by default the preset's. With `is_free` the owner's free training pays for it.
    Effect: inserts the frozen version, the training and its job in one transaction, and holds the credits of
    the whole training, or marks the free one as used. The caller has made sure that the owner may use both
    dataset and base.
    Raises TermsForbid (the base may not be changed), DatasetUnfit (too few pictures, still being checked,
    made for an experiment), RightsMissing, CaptionRefused and KeywordTaken (the keyword), SettingsRefused,
    CreditsShort, FreeTrainingGone and AccountBlocked.
    """
    if dataset.purpose == Purpose.EXPERIMENT:
        message = _("This dataset is for a training experiment. Choose one of a character, style or object.")
        raise DatasetUnfit(message, field="dataset")
    judge_derivation(version=base, actor=owner)
    # Two starts at once with one keyword come one after the other.
    User.objects.select_for_update(no_key=True).get(pk=owner.pk)
    kept = judge_keyword(owner, keyword)
    caption = partial(ai_caption, dataset, keyword=kept, subject=subject)
    version = freeze_version(dataset=dataset, crop=dataset.crop, purpose=dataset.purpose, caption=caption)
    prompts = sample_prompts or prompts_of(preset_of(dataset.purpose, base), keyword=kept, subject=subject)
    training = AITraining(
        owner=owner,
        name=name,
        purpose=dataset.purpose,
        keyword=kept,
        subject=subject,
        dataset_version=version,
        base=base,
        steps=steps,
        seed=seed,
        sample_prompts=list(prompts),
        settings=dict(settings or {}),
    )
    try:
        config_of(training)
    except ConfigError as error:
        raise SettingsRefused(str(error)) from error
    training.job = submit_job(
        owner=owner,
        kind=AI_TRAINING.name,
        label=name,
        total=steps,
        quote=None if is_free else quote_ai_training(),
        needs_bytes=needs_bytes(base),
    )
    if is_free:
        use_free_training(user=owner, work_ref=training.job.pk)
    training.save(force_insert=True)
    return training


@transaction.atomic
def resume_ai_training(*, training: AITraining) -> None:
    """Let a stopped or failed training go on; see `resume_training`.

    One that had been free and was given back takes the free training again. Raises FreeTrainingGone where
    that has been used for another one since.
    """
    if studio.CREDITS_ENABLED and training.job.price_id is None:
        use_free_training(user=training.owner, work_ref=training.job_id)
    resume_training(training=training)


def note_ai_training_end(job: Job) -> None:
    """Have the owner written to, and give a free training back that brought nothing: an `on_end`.

    That is one that failed, or ended before its first snapshot.
    """
    plan_end_mail(job)
    if job.price_id is None and (job.state == State.FAILED or not job.delivered):
        return_free_training(work_ref=job.pk)


def save_ai_model(*, training: AITraining, snapshot: AISnapshot | None = None) -> ModelVersion:
    """Make a model of the owner's from a snapshot, by default the last one; another snapshot adds a version.

    Effect: publishes the LoRA with its lineage (base and dataset), private, under the dataset's licence; then
    notes the model at the training. Saving the same snapshot again changes nothing. Raises SnapshotMissing
    when there is no snapshot with weights that can be read.
    """
    snapshot = snapshot or training.snapshots.exclude(folder="").order_by("-step").first()
    if snapshot is None or not snapshot.folder:
        raise SnapshotMissing(_("There is no snapshot to save yet. Wait for the first one."))
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "model"
        fetch_folder(snapshot.folder, folder)
        try:
            write_lora_manifest(folder, _manifest(training, snapshot))
        except ModelError as error:
            raise SnapshotMissing(_("This snapshot is damaged. Choose another one.")) from error
        version = _publish(training, folder)
    if training.saved_model_id != version.model_id:
        training.saved_model = version.model
        training.save(update_fields=["saved_model"])
    return version


def _manifest(training: AITraining, snapshot: AISnapshot) -> LoraManifest:
    base = training.base
    return LoraManifest(
        kind=base.manifest["kind"],
        resolution=base.manifest["resolution"],
        base_fingerprint=base.manifest["fingerprint"],
        base_title=base.model.title,
        base_version=base.sha256,
        keyword=training.keyword,
        subject=training.subject,
        purpose=training.purpose,
        name=training.name,
        step=snapshot.step,
    )


def _publish(training: AITraining, folder: Path) -> ModelVersion:
    parents = [
        (training.dataset_version.source, Derivation.Role.DATASET),
        (training.base.source, Derivation.Role.BASE),
    ]
    licence = training.dataset_version.licence
    if training.saved_model is not None:
        return add_version(model=training.saved_model, folder=folder, licence=licence, parents=parents)
    tagline = _("Made for %(base)s; say %(keyword)s %(subject)s in the prompt.") % {
        "base": training.base.model.title,
        "keyword": training.keyword,
        "subject": training.subject,
    }
    return publish_version(
        owner=training.owner,
        folder=folder,
        name=suggest_names(owner=training.owner, wanted=training.name, count=1)[0],
        title=training.name,
        licence=licence,
        type=CatalogModel.Type.GENERATE,
        parents=parents,
        saved_from=training.job_id,
        tagline=tagline,
        training_data=describe_data(training),
    )


@transaction.atomic
def create_ai_draft(*, owner: User, dataset: Dataset) -> AITrainingDraft:
    """Begin an AI training that is started later. Return its row. Raises TooManyDrafts.

    The caller has made sure that the dataset is the owner's.
    """
    refuse_too_many(owner, AITrainingDraft)
    draft: AITrainingDraft = AITrainingDraft.objects.create(owner=owner, dataset=dataset)
    return draft


@transaction.atomic
def start_ai_draft(*, draft: AITrainingDraft, **values: Any) -> AITraining:
    """Start the training of a draft with `values`, what `start_ai_training` takes. Return it.

    Effect: one transaction; the draft is gone afterwards. Raises ExperimentBusy when it was started already,
    and what `start_ai_training` raises.
    """
    if not AITrainingDraft.objects.select_for_update().filter(pk=draft.pk).exists():
        raise ExperimentBusy(_("This training was started already. You find it among your AI trainings."))
    if draft.dataset is None:
        raise DatasetUnfit(_("The dataset was deleted. Choose another one."), field="dataset")
    training = start_ai_training(owner=draft.owner, dataset=draft.dataset, **values)
    draft.delete()
    return training
