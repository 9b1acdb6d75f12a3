"""The kinds of jobs that this app registers."""

from django.utils.translation import gettext_lazy as _

from jobs.models import Queue
from jobs.registry import JobKind

UPLOAD = JobKind(
    name="training.upload",
    queue=Queue.LIGHT,
    handler="training.intake.run_upload",
    title=_("Checking pictures"),
    on_end="training.services.note_upload_end",
)
SAMPLE = JobKind(
    name="training.sample",
    queue=Queue.LIGHT,
    handler="training.drawing.run_sample",
    title=_("Drawing a sample dataset"),
)
EXPERIMENT = JobKind(
    name="training.experiment",
    queue=Queue.TRAIN,
    handler="training.jobs.run_experiment",
    title=_("Training"),
    resumable=True,
    is_limited=True,
    slice_end="training.prices.slice_end",
    on_end="jobs.mail.plan_end_mail",
    end_mail="training.mail.letter_about_experiment",
)
FILM = JobKind(
    name="training.film",
    queue=Queue.LIGHT,
    handler="training.film_jobs.run_film",
    title=_("Making a progress video"),
)
AI_TRAINING = JobKind(
    name="training.ai",
    queue=Queue.TRAIN,
    handler="training.ai_jobs.run_ai_training",
    title=_("AI Training"),
    resumable=True,
    is_limited=True,
    cost="training.ai_prices.cost_of_steps",
    on_end="training.services.note_ai_training_end",
    end_mail="training.mail.letter_about_ai_training",
)
KEYWORD = JobKind(
    name="training.keyword",
    queue=Queue.GENERATE,
    handler="training.keyword_jobs.run_keyword",
    title=_("Checking a keyword"),
)
KINDS = (UPLOAD, SAMPLE, EXPERIMENT, FILM, AI_TRAINING, KEYWORD)
