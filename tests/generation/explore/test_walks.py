"""Walks: what they cost, what the worker makes of them, and what is written into their files."""

import io
import json
import uuid

import numpy as np
import pytest
from django.core.files.storage import default_storage
from PIL import Image

from accounts.erasure import erase_accounts, request_erasure
from billing.models import Price
from billing.selectors import balance_of
from catalog.generators import network_of
from catalog.services import delete_model
from catalog.signing import known_keys
from catalog.verification import Finding, verify_file
from engines.film_provenance import read_film_record
from engines.signing import Verdict, judge_content
from engines.stylegan.generate import Generator
from engines.stylegan.latent import LatentSpace
from engines.stylegan.points import Seed, Vector, parse_point
from engines.stylegan.walking import Walk
from generation.exceptions import TooManyWaitingError, WalkRefusedError
from generation.explore import walks
from generation.models import Walk as WalkRow
from jobs.models import Job, State
from jobs.services import stop_job
from jobs.testing import run_pending
from tests.wallets import give_credits

WALK = Walk(points=tuple(Seed(seed=seed, truncation=0.8) for seed in (1, 2, 3)), seconds=0.5, fps=12)


@pytest.fixture
def network(version):
    return network_of(version)


@pytest.fixture
def order(owner, network):
    """Return a function that orders a walk, which can be paid for: `order("gif")`."""
    give_credits(owner, 100)

    def make(file_format="mp4", walk=WALK, **values) -> WalkRow:
        return walks.start_walk(owner=owner, network=network, walk=walk, file_format=file_format, **values)

    return make


def content_of(row) -> bytes:
    with default_storage.open(row.file) as stored:
        return stored.read()


@pytest.mark.parametrize("file_format", ["mp4", "gif", "zip"])
def test_a_walk_is_made_paid_and_says_where_it_comes_from(owner, version, order, file_format):
    before = balance_of(owner).available
    row = order(file_format)
    price = Price.objects.get(code="walk", is_current=True).for_quantity(WALK.frames)
    assert balance_of(owner).held == price == 1
    (job,) = run_pending()
    assert job.state == State.SUCCEEDED, job.error
    assert (job.delivered, job.price_charged) == (13, price)
    assert before - balance_of(owner).available == price
    row.refresh_from_db()
    content = content_of(row)
    assert walks.bytes_of(owner) == row.size_bytes == len(content)
    assert walks.keys_in_use([row.file, row.poster, "jobs/other"]) == {row.file, row.poster}
    told = read_film_record(io.BytesIO(content))
    assert judge_content(told.record, told.content_sha256, known_keys()) is Verdict.UNCHANGED
    assert told.record.version_sha256 == version.sha256
    assert "Tiny by Ann" in told.record.credit
    assert tuple(map(parse_point, json.loads(told.record.settings["Walk"]))) == WALK.points
    found = verify_file(io.BytesIO(content), owner)
    assert (found.finding, found.is_film, found.version) == (Finding.UNCHANGED, True, version)


def test_the_poster_is_the_first_picture(order, model_folder):
    row = order()
    run_pending()
    row.refresh_from_db()
    with default_storage.open(row.poster) as stored:
        poster = np.asarray(Image.open(io.BytesIO(stored.read())).convert("RGB"), int)
    first = LatentSpace(Generator.load(model_folder)).images([WALK.points[0]])[0].astype(int)
    assert np.abs(poster - first).mean() < 12  # WebP keeps half of the colours


def test_a_walk_that_is_stopped_costs_nothing(owner, order, monkeypatch):
    row = order(walk=Walk(points=WALK.points, seconds=2.0, fps=24))

    def stop_then_told(context):
        stop_job(job=Job.objects.get(pk=context.job_id))
        return told(context)

    from generation.explore import walk_jobs

    told = walk_jobs._told
    monkeypatch.setattr(walk_jobs, "_told", stop_then_told)
    (job,) = run_pending()
    row.refresh_from_db()
    assert (job.state, job.price_charged, row.file) == (State.STOPPED, 0, "")
    assert balance_of(owner).held == 0


def test_an_attempt_after_one_that_was_killed_makes_nothing_twice(order):
    row = order()
    run_pending()
    row.refresh_from_db()
    made, charged = row.file, row.job.price_charged
    Job.objects.filter(pk=row.job_id).update(state=State.QUEUED)
    (job,) = run_pending()
    row.refresh_from_db()
    assert (row.file, job.price_charged) == (made, 1)
    assert charged in (0, 1)


def test_what_cannot_be_walked_is_refused_in_words(owner, network, order):
    with pytest.raises(WalkRefusedError, match=r"has 2,161 frames; 720 are allowed.*choose a film"):
        order("gif", walk=Walk(points=WALK.points, seconds=45.0))
    foreign = Vector.of(np.zeros((1, 8), np.float32), model="f" * 64)
    with pytest.raises(WalkRefusedError, match="of another model"):
        order(walk=Walk(points=(WALK.points[0], foreign)))
    for _number in range(walks.MAX_WAITING):
        order()
    with pytest.raises(TooManyWaitingError, match="5 walks waiting"):
        order()
    assert WalkRow.objects.count() == walks.MAX_WAITING


def test_a_deleted_model_leaves_the_films(order, version, django_capture_on_commit_callbacks):
    made, waiting = order(), None
    run_pending()
    waiting = order()
    assert walks.describe_walks(version.model).startswith("2 walks go through it")
    delete_model(model=version.model)
    (job,) = run_pending()
    assert (job.state, "deleted before the walk" in job.error) == (State.FAILED, True)
    made.refresh_from_db()
    waiting.refresh_from_db()
    assert (made.version, waiting.file) == (None, "")
    assert default_storage.exists(made.file)
    assert not walks.can_be_shared(made)
    with django_capture_on_commit_callbacks(execute=True):
        walks.delete_walk(walk=made)
    assert not default_storage.exists(made.file)


def test_a_walk_under_way_is_not_deleted(order):
    with pytest.raises(WalkRefusedError, match="Stop it first"):
        walks.delete_walk(walk=order())


def test_previews_are_short_and_the_same_at_any_pace():
    slow = Walk(points=WALK.points, seconds=30.0, fps=30, loop=True)
    fast = Walk(points=WALK.points, seconds=1.0, fps=60, loop=True)
    assert walks.preview_of(slow, 64) == walks.preview_of(fast, 64)
    assert walks.preview_of(slow, 64).frames == 72
    many = Walk(points=tuple(Seed(seed=seed) for seed in range(100)), seconds=0.1)
    assert all(walks.preview_of(many, side).frames <= 256 for side in (64, 128, 512, 2048))


def test_points_are_put_into_another_order():
    one, two, three = (uuid.UUID(int=number) for number in range(3))
    order = [one, two, three]
    assert walks.change_order(order, "up:2") == [one, three, two]
    assert walks.change_order(order, "down:0") == [two, one, three]
    assert walks.change_order(order, "drop:1") == [one, three]
    assert walks.change_order(order, f"add:{one}") == [one, two, three, one]
    for nonsense in ("", "up:0", "down:2", "up:9", "up:x", "drop:-1", "add:x", "order", "up:99999"):
        assert walks.change_order(order, nonsense) == order


def test_walks_go_with_their_owner(owner, order):
    row = order()
    run_pending()
    row.refresh_from_db()
    request_erasure(user=owner)
    assert erase_accounts() == 1
    assert not WalkRow.objects.exists()
    assert walks.keys_in_use([row.file]) == set()  # the sweep takes the file
