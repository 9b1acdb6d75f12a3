"""What must be true when the dust has settled. Each check returns what breaks it."""

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

from django.conf import settings
from django.core.files.storage import default_storage
from django.db.models import Sum

from billing.models import CreditAccount, CreditEntry, CreditHold
from billing.selectors import ledger_differences
from catalog.models import ModelImport, ModelMix, RunItem, RunResult
from catalog.services.imports import open_imports
from engines.stylegan.walking import parse_walk
from generation.explore.cache import storage_key
from generation.explore.looks import JOB_KIND as LOOK
from generation.models import Generation, Look, LookPicture, Picture, Projection, Walk
from jobs.charging import cost_of
from jobs.files import list_keys
from jobs.models import EndMail, Job, State
from jobs.states import ENDED_STATES, may_move
from tests.chaos import audit
from training.files import with_copies
from training.models import AISnapshot, DatasetImage, NearestIndex, Snapshot, UploadedFile


def broken() -> list[str]:
    """Return every broken promise in words; empty when all are kept."""
    return [*_states(), *_money(), *_files(), *_imports(), *_results(), *_letters(), *_writers()]


def _states() -> Iterator[str]:
    for job in Job.objects.exclude(state__in=ENDED_STATES):
        yield f"{job} has not ended: {job.state} at attempt {job.attempt}"
    for look in Look.objects.exclude(job__state=State.FAILED):
        yield f"{look} is over and was not removed"
    for job in Job.objects.filter(kind=LOOK).exclude(state=State.FAILED):
        yield f"{job} showed what was looked at and was not removed"
    for job in Job.objects.prefetch_related("events"):
        events = list(job.events.all())
        claims = Counter(event.attempt for event in events if event.to_state == State.RUNNING)
        if any(count != 1 for count in claims.values()) or len(claims) != job.attempt:
            yield f"{job}: attempts were not claimed once each: {dict(claims)}"
        for before, after in pairwise(events):
            if after.from_state != before.to_state or not may_move(after.from_state, after.to_state):
                yield f"{job}: {before} and then {after}"
        if events[-1].to_state != job.state:
            yield f"{job} is {job.state}, and its timeline ends with {events[-1]}"


def _money() -> Iterator[str]:
    for account in CreditAccount.objects.all():
        if account.held:
            yield f"{account} still has {account.held} credits held"
        if differences := ledger_differences(account):
            yield f"{account} differs from its entries: {differences}"
    for hold in CreditHold.objects.exclude(state=CreditHold.State.SETTLED):
        yield f"{hold} was neither charged nor released"
    for hold in CreditHold.objects.all():
        key = f"{hold.work_ref}:{hold.slice}"
        moved = _moved(f"capture:{key}"), _moved(f"release:{key}")
        if moved != (hold.charged, hold.amount - hold.charged):
            yield f"{hold}: {moved} moved, {hold.charged} charged of {hold.amount}"
    for job in Job.objects.all():
        holds = CreditHold.objects.filter(work_ref=job.pk).select_related("price")
        charged = sum(hold.charged for hold in holds)
        due = cost_of(job, _delivered(job)) if holds else 0
        if not charged == job.price_charged == due:
            yield f"{job}: {charged} credits charged, {job.price_charged} on its receipt, {due} due"


def _moved(key: str) -> int:
    legs = CreditEntry.objects.filter(txn__key=key, bucket=CreditEntry.Bucket.HELD)
    return -(legs.aggregate(total=Sum("amount"))["total"] or 0)


def _delivered(job: Job) -> int:
    """How much of the work its owner has: pictures, or steps up to the last snapshot."""
    if hasattr(job, "generation"):
        return job.generation.pictures.count()
    if hasattr(job, "model_run"):
        last = job.model_run.steps.last()
        return RunItem.objects.filter(results__step=last).distinct().count()
    training = getattr(job, "experiment", None) or getattr(job, "ai_training", None)
    if training is not None:
        last = training.snapshots.exclude(folder="").order_by("-step").first()
        return last.step if last else 0
    if hasattr(job, "projection"):
        return int(job.projection.last_step)
    if hasattr(job, "walk"):
        return parse_walk(job.walk.settings).frames if job.walk.file else 0
    return 0


def _files() -> Iterator[str]:
    """Every row has its file, and after the sweep every file has its row."""
    pictures = set(Picture.objects.values_list("file", flat=True))
    pictures.update(RunResult.objects.exclude(file="").values_list("file", flat=True))
    pictures.update(key for pair in Walk.objects.values_list("file", "poster") for key in pair if key)
    pictures.update(ModelMix.objects.exclude(preview="").values_list("preview", flat=True))
    images = DatasetImage.objects.values_list("file", "thumbnail")
    in_datasets = with_copies(key for pair in images for key in pair)
    in_datasets.update(NearestIndex.objects.values_list("file", flat=True))
    incoming = set(UploadedFile.objects.exclude(file="").values_list("file", flat=True))
    in_snapshots = set(Snapshot.objects.values_list("grid", flat=True))
    in_snapshots.update(AISnapshot.objects.values_list("grid", flat=True))
    folders = [
        folder
        for model in (Snapshot, AISnapshot)
        for folder in model.objects.exclude(folder="").values_list("folder", flat=True)
    ]
    for folder in folders:
        in_snapshots.update(list_keys(folder))
    pairs = Generation.objects.values_list("source_file", "mask_file")
    starts = {key for pair in pairs for key in pair if key}
    in_projections, targets = set(), set()
    for projection in Projection.objects.all():
        targets.add(projection.target)
        in_projections.update(step["file"] for step in projection.steps)
        in_projections.update(list_keys(projection.state_file) if projection.state_file else ())
    looks = LookPicture.objects.values_list("sha256", "key")
    expected = {
        "looks": {storage_key(*one) for one in looks},
        "jobs": pictures | in_snapshots | in_projections,
        "datasets": in_datasets | incoming,
        "starts": starts,
        "projections": targets,
    }
    for prefix, keys in expected.items():
        for key in keys:
            if not default_storage.exists(key):
                yield f"{key} is missing"
        for key in set(list_keys(prefix)) - keys:
            yield f"{key} is in the storage, and no row points to it"
    if any(len(list_keys(folder)) < 3 for folder in folders):
        yield "a snapshot is not whole"


def _imports() -> Iterator[str]:
    """An import is closed with its job; its files are there while it is open, and no longer."""
    stages = ModelImport.Stage
    for imported in ModelImport.objects.select_related("job"):
        if imported.job.state == State.SUCCEEDED:
            fits = imported.stage in (stages.FOUND, stages.READY)
        else:
            fits = imported.stage == stages.REFUSED
        if not fits:
            yield f"{imported.job} ended {imported.job.state}, and its import is {imported.stage}"
        if imported.stage == stages.FOUND and not list_keys(imported.found["folder"]):
            yield f"the files of the import {imported.pk} are missing"
    numbers = {str(pk) for pk in open_imports().values_list("pk", flat=True)}
    for key in list_keys("imports"):
        if key.split("/")[1] not in numbers:
            yield f"{key} is in the storage, and its import has ended"


def _results() -> Iterator[str]:
    for job in Job.objects.filter(state=State.SUCCEEDED):
        if hasattr(job, "generation") and job.generation.pictures.count() != job.generation.count:
            yield f"{job} succeeded with {job.generation.pictures.count()} of {job.generation.count} pictures"
        if hasattr(job, "model_run") and _delivered(job) != job.model_run.count:
            yield f"{job} succeeded with {_delivered(job)} of {job.model_run.count} runs"
        if hasattr(job, "walk") and not job.walk.file:
            yield f"{job} succeeded, and its walk has no file"
        if hasattr(job, "mix") and job.mix.model is None:
            yield f"{job} succeeded, and its model was not made"
        training = getattr(job, "experiment", None) or getattr(job, "ai_training", None)
        if training is not None and _delivered(job) != training.steps:
            yield f"{job} succeeded at step {_delivered(job)} of {training.steps}"
        if hasattr(job, "ai_training") and job.ai_training.saved_model is None:
            yield f"{job} succeeded, and its model was not saved"
        if hasattr(job, "upload") and job.upload.files.filter(status=UploadedFile.Status.WAITING).exists():
            yield f"{job} succeeded, and a file of it still waits"


def _letters() -> Iterator[str]:
    """Each end that is news is told; twice at most where an attempt was killed while it told it."""
    for job in Job.objects.filter(kind__in=("training.experiment", "training.ai"), state=State.SUCCEEDED):
        if not job.end_mails.filter(attempt=job.attempt, state=job.state).exists():
            yield f"nobody was to be told that {job} succeeded"
    sent = Counter(_message_ids())
    for mail in EndMail.objects.select_related("job", "ended"):
        copies = sent.pop(f"end-{mail.ended_id}-{mail.attempt}", 0)
        if mail.job.state == State.SUCCEEDED and mail.sent_at is None and _is_current(mail):
            yield f"{mail} counts as sent and was not"
        if copies > mail.job.attempt or (mail.sent_at is not None and not copies):
            yield f"{mail} was sent {copies} times in {mail.job.attempt} attempts"
    for message_id in sent:
        yield f"{message_id} was sent, and there was nothing to tell"


def _is_current(mail: EndMail) -> bool:
    """Whether the end that it tells of has not been undone by going on."""
    return (mail.ended.attempt, mail.ended.state) == (mail.attempt, mail.state)


def _message_ids() -> Iterator[str]:
    for path in (settings.DATA_DIR / "mail").glob("*"):
        for line in path.read_text().splitlines():
            if line.startswith("Message-ID: "):
                yield line.removeprefix("Message-ID: <").partition("@")[0]


def _writers() -> Iterator[str]:
    for job_id, attempt, writers in audit.attempts_with_two_writers():
        yield f"{writers} wrote for attempt {attempt} of {job_id}"
    for write in audit.writes_without_a_lease():
        yield f"written without a lease: {write}"
