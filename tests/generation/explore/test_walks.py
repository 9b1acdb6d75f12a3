"""Walks: what they cost, what the worker makes of them, and what is written into their files."""

import io
import json
import uuid
import zipfile
from pathlib import Path

import av
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
from generation.explore.walk_frames import StoredFrames
from generation.models import Walk as WalkRow
from jobs.files import list_keys
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


@pytest.mark.parametrize("file_format", ["mp4", "zip"])
def test_an_attempt_goes_on_from_the_frames_that_are_there(order, monkeypatch, file_format):
    """The first attempt dies after two parts, while it writes the third: those two are not made again."""
    walk = Walk(points=WALK.points, seconds=3.0, fps=24)  # 145 frames: three parts and one frame
    straight, killed = order(file_format, walk), order(file_format, walk)
    real_store, real_images = StoredFrames.store, Generator.images_of
    made: list[int] = []

    def store(self, part, pictures):
        real_store(self, part, pictures)
        if self.keys[-1].startswith(f"jobs/{killed.job_id}/1/") and part == 2:
            torn = default_storage.path(self.keys[-1])
            Path(torn).write_bytes(Path(torn).read_bytes()[:100])
            raise RuntimeError("the lights went out")

    def images(self, ws, **options):
        made.append(len(ws))
        return real_images(self, ws, **options)

    monkeypatch.setattr(StoredFrames, "store", store)
    monkeypatch.setattr(Generator, "images_of", images)
    run_pending()
    for row in (straight, killed):
        row.refresh_from_db()
        assert row.job.state == State.SUCCEEDED, row.job.error
    assert sorted(made) == sorted([48, 48, 48, 1, 1, *[48, 48, 48], *[48, 1, 1]])
    assert frames_of(killed) == frames_of(straight)
    assert not any("/frames/" in key for key in list_keys("jobs"))


def frames_of(row) -> list[bytes]:
    """The pictures of a walk, whatever else its file says."""
    content = content_of(row)
    if row.format == "zip":
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            names = sorted(name for name in packed.namelist() if name.endswith(".png"))
            return [Image.open(io.BytesIO(packed.read(name))).tobytes() for name in names]
    with av.open(io.BytesIO(content)) as film:
        return [frame.to_ndarray(format="rgb24").tobytes() for frame in film.decode(video=0)]


def test_frames_stay_while_their_walk_goes_on(order):
    row = order()
    key = f"jobs/{row.job_id}/1/frames/0000.png"
    assert walks.keys_in_use([key, "jobs/odd/1/frames/0000.png"]) == {key}
    Job.objects.filter(pk=row.job_id).update(state=State.FAILED)
    assert walks.keys_in_use([key]) == set()


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
