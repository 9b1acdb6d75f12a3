"""What the owner of a training is written when it has ended."""

from django.utils.translation import gettext as _

from engines.metrics.names import FIGURES, SAMPLES
from jobs.mail import Letter
from jobs.models import Job, State
from jobs.selectors import receipt_of
from training.models import AISnapshot, AITraining, Experiment, Snapshot, TrainingRun
from training.withdrawn import why_ended

_QUALITY = FIGURES["distance"]


def letter_about_experiment(job: Job) -> Letter | None:
    """What became of a training, its figures, and what to do next; None when it was deleted."""
    return _letter(job, Experiment, continues=True)


def letter_about_ai_training(job: Job) -> Letter | None:
    """The same of an AI training, whose last snapshot is a model already when it is done."""
    return _letter(job, AITraining, continues=False)


def _letter(job: Job, model: type[TrainingRun], *, continues: bool) -> Letter | None:
    training = (
        model.objects.select_related("dataset_version")
        .defer("dataset_version__pictures", "dataset_version__report")
        .filter(job=job)
        .first()
    )
    if training is None:
        return None
    newest = training.snapshots.exclude(folder="").order_by("-step").first()
    subject = _subject(job) % {"name": training.name}
    # A job that stopped or failed says why, and what helps.
    can_go_on = not why_ended(training.dataset_version)
    if training.saved_model_id and job.state == State.SUCCEEDED and not continues:
        next_step = _("It is among your models. Compare its snapshots, or make images with it, on its page:")
    else:
        next_step = _next_step(job, newest, can_go_on=can_go_on, continues=continues)
    paragraphs = [subject + ".", job.error, _figures(job, newest), next_step]
    return Letter(
        subject=subject,
        paragraphs=[paragraph for paragraph in paragraphs if paragraph],
        path=training.get_absolute_url(),
    )


def _subject(job: Job) -> str:
    if job.state == State.SUCCEEDED:
        return _("Your training %(name)s is done")
    if job.state == State.FAILED:
        return _("Your training %(name)s failed")
    return _("Your training %(name)s has stopped")


def _figures(job: Job, newest: Snapshot | AISnapshot | None) -> str:
    lines = [_("Steps: %(step)s of %(total)s") % {"step": f"{job.step:,}", "total": f"{job.total:,}"}]
    if newest is not None:
        lines.append(_("Newest snapshot: step %(step)s") % {"step": f"{newest.step:,}"})
        lines += _quality(newest)
    receipt = receipt_of(job)
    if receipt is not None:
        lines.append(_("Credits charged: %(charged)s") % {"charged": f"{receipt.charged:,}"})
    return "\n".join(lines)


def _quality(snapshot: Snapshot | AISnapshot) -> list[str]:
    figures = snapshot.metrics
    if _QUALITY.key not in figures:
        return []
    sentence = _(
        "%(title)s: %(value).1f, where your pictures among themselves have %(floor).1f (%(count)d each)"
    )
    return [
        sentence
        % {
            "title": _QUALITY.title,
            "value": figures[_QUALITY.key],
            "floor": figures[_QUALITY.reference],
            "count": figures[SAMPLES],
        }
    ]


def _next_step(job: Job, newest: Snapshot | AISnapshot | None, *, can_go_on: bool, continues: bool) -> str:
    if newest is None and not can_go_on:
        return _("It had made no snapshot yet. See what happened on its page:")
    if newest is None:
        return _("It had made no snapshot yet. See what happened, and resume it, on its page:")
    if job.state == State.SUCCEEDED:
        return _("Compare its snapshots, and save the one you like to your models, on its page:")
    if not can_go_on and not continues:
        return _("What it had learned is kept as a snapshot. Save it to your models on its page:")
    if not can_go_on:
        return _("What it had learned is kept as a snapshot. Save it, or continue from it, on its page:")
    return _("What it had learned is kept as a snapshot. Save it, or resume the training, on its page:")
