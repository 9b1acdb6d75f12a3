"""Projections with the real engine: ordering, searching leg by leg, stopping, resuming, paying."""

import io
from collections.abc import Callable

import numpy as np
import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from PIL import Image

from billing.selectors import balance_of
from catalog.generators import network_of
from catalog.registry import stored_above
from engines.stylegan.points import LatentMap, Tile, Vector, parse_point
from engines.stylegan.project import Projector
from engines.stylegan.projecting import ProjectConfig
from generation.explore import looks, projection_jobs, projections
from generation.models import LookPicture, Projection, SavedPoint
from jobs.files import list_keys
from jobs.services import resume_job, stop_job
from jobs.sweeps import sweep_files
from jobs.testing import run_pending
from tests.wallets import give_credits

STEPS = 50


def photograph(size: tuple[int, int] = (40, 30), colour: tuple[int, ...] | None = None) -> bytes:
    pixels = np.random.default_rng(1).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    if colour is not None:
        pixels[:] = colour
    encoded = io.BytesIO()
    Image.fromarray(pixels).save(encoded, format="PNG")
    return encoded.getvalue()


@pytest.fixture
def network(version):
    return network_of(version)


@pytest.fixture
def url(owner, version):
    return reverse("generation:projection_create", args=[owner.handle, version.model.name])


@pytest.fixture
def order(owner, network) -> Callable[..., Projection]:
    give_credits(owner, 100)

    def make(**values: object) -> Projection:
        config = ProjectConfig(**{"steps": STEPS, **values})
        target = photograph((16, 16))
        return projections.start_projection(
            owner=owner, network=network, target=target, title="Cat", config=config
        )

    return make


def send(**values: object) -> dict[str, object]:
    content = values.pop("content", None) or photograph()
    file = SimpleUploadedFile("my cat.png", content, "image/png")
    return {"picture": file, "space": "w+", "steps": STEPS, "title": "", **values}


def test_a_photograph_is_cut_stored_and_ordered(owner_client, owner, url):
    give_credits(owner, 100)
    before = balance_of(owner).available
    answer = owner_client.post(url, send(crop="hand", left=3, upper=2, side=20))
    projection = Projection.objects.get()
    assert answer["Location"] == projection.get_absolute_url()
    assert (projection.title, projection.settings["steps"], projection.job.total) == ("my cat", STEPS, STEPS)
    with default_storage.open(projection.target) as file, Image.open(file) as image:
        assert image.size == (16, 16)
    assert balance_of(owner).available == before - 1  # 5 credits for 300 steps, rounded up


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"content": photograph(colour=(0, 0, 0))}, "black all over"),
        ({"content": photograph(colour=(9, 200, 9))}, "of one colour all over"),
        ({"content": b"not a picture"}, "not a picture"),
        ({"crop": "hand", "left": 30, "upper": 0, "side": 30}, "reaches beyond the picture"),
        ({"steps": 5000}, "from 50 to 1000"),
        ({"space": "z"}, "one of the two"),
        ({"picture": ""}, "Choose the photograph"),
    ],
)
def test_what_cannot_be_looked_for_is_refused_in_words(owner_client, url, values, words):
    answer = owner_client.post(url, send(**values))
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert not Projection.objects.exists()
    assert list_keys(projections.PREFIX) == []


def test_it_is_searched_leg_by_leg_and_pinned(
    order, owner_client, monkeypatch, django_capture_on_commit_callbacks
):
    projection = order()
    with django_capture_on_commit_callbacks(execute=True):
        run_pending("generate")
    projection.refresh_from_db()
    assert projection.job.state == "succeeded"
    assert [step["step"] for step in projection.steps] == [25, 50]
    assert set(projection.figures) == {"unrelated", "best_random", "reached", "floor"}
    found = parse_point(projection.found.point)
    assert isinstance(found, Vector)
    assert projection.found.title == "Cat"
    assert (projection.job.delivered, projection.job.price_charged) == (STEPS, 1)
    assert any("state-0050" in key for key in list_keys("jobs"))
    assert not any("state-0025" in key for key in list_keys("jobs"))
    page = owner_client.get(projection.get_absolute_url()).content.decode()
    assert "How near it came" in page
    assert projection.found.get_absolute_url() in page

    # The floor is the model's: the next projection takes it from here.
    monkeypatch.setattr(projection_jobs, "FLOOR_SEED", None)
    again = order()
    run_pending("generate")
    again.refresh_from_db()
    assert again.job.state == "succeeded"
    assert again.figures["floor"] == projection.figures["floor"]


def test_stopped_and_resumed_it_comes_to_the_same_bits(order, monkeypatch):
    halted, straight = order(), order()
    stop_after_a_leg(monkeypatch, halted)
    run_pending("generate")
    for one in (straight, halted):
        one.refresh_from_db()
    assert halted.job.state == "stopped"
    assert [step["step"] for step in halted.steps] == [25, 26]
    assert halted.found is not None
    assert "floor" not in halted.figures
    monkeypatch.undo()
    resume_job(job=halted.job)
    run_pending("generate")
    halted.refresh_from_db()
    assert halted.job.state == "succeeded"
    assert parse_point(halted.found.point) == parse_point(straight.found.point)
    assert halted.figures == straight.figures
    assert SavedPoint.objects.count() == 2


def stop_after_a_leg(monkeypatch: pytest.MonkeyPatch, projection: Projection) -> None:
    """Have the owner ask for the stop while the second leg runs."""
    real = projection_jobs._Work._keep

    def keep(work, found, state):
        real(work, found, state)
        if work._projection.pk == projection.pk:
            stop_job(job=projection.job)

    monkeypatch.setattr(projection_jobs._Work, "_keep", keep)


def test_maps_are_looked_at_while_it_goes_on(order, owner, network, monkeypatch):
    projection, seen = order(), []
    real = projection_jobs._Work._keep

    def keep(work, found, state):
        real(work, found, state)
        seen.append(LookPicture.objects.count())
        if found.step == 25:
            tiles = [Tile(x=x, y=0) for x in range(20)]
            sheet = looks.tiles_of(network, LatentMap(), tiles)
            looks.ask_sheets(owner=owner, slot="map", sheets=[sheet])

    monkeypatch.setattr(projection_jobs._Work, "_keep", keep)
    run_pending("generate")
    assert seen == [0, 20]
    projection.refresh_from_db()
    assert projection.job.state == "succeeded"


def test_what_is_stored_counts_towards_the_owners_storage(order, owner, stranger):
    projection = order()
    assert projections.bytes_of(owner) == len(photograph((16, 16)))
    run_pending("generate")
    projection.refresh_from_db()
    keys = [projection.target, *(step["file"] for step in projection.steps)]
    keys += list_keys(projection.state_file)
    assert projections.bytes_of(owner) == sum(default_storage.size(key) for key in keys)
    assert stored_above(owner) == projections.bytes_of(owner)
    assert projections.bytes_of(stranger) == 0
    projections.delete_projection(projection=projection)
    assert projections.bytes_of(owner) == 0


def test_a_fault_loses_one_leg_at_most(order, monkeypatch):
    projection = order()
    steps = []
    real = Projector.project

    def fail_once(self, *arguments, **values):
        found = real(self, *arguments, **values)
        steps.append(found.step)
        if len(steps) == 2:
            raise RuntimeError("out of luck")
        return found

    monkeypatch.setattr(Projector, "project", fail_once)
    run_pending("generate")
    projection.refresh_from_db()
    assert projection.job.state == "succeeded"
    assert steps[:3] == [25, 50, 50]
    assert [step["step"] for step in projection.steps] == [25, 50]


def test_the_sweep_leaves_what_is_shown_and_deleting_takes_it(order, owner_client):
    projection = order()
    run_pending("generate")
    projection.refresh_from_db()
    keys = {
        projection.target,
        *(step["file"] for step in projection.steps),
        *list_keys(projection.state_file),
    }
    assert projections.keys_in_use([*keys, "jobs/strange/1/a", f"jobs/{projection.job_id}/1/left"]) == keys
    assert sweep_files() == []
    delete = reverse("generation:projection_delete", args=[projection.pk])
    assert owner_client.get(delete).status_code == 200
    assert owner_client.post(delete).status_code == 302
    assert SavedPoint.objects.exists()


def test_pages_are_the_owners(order, owner_client, stranger_client, client, url):
    projection = order()
    assert owner_client.get(url).status_code == 200
    assert stranger_client.get(url).status_code == 404
    assert client.get(url).status_code == 302
    names = ("detail", "stop", "resume", "delete")
    for name in names:
        address = reverse(f"generation:projection_{name}", args=[projection.pk])
        post = name in {"stop", "resume"}
        for one, status in ((stranger_client, 404), (client, 302)):
            assert (one.post if post else one.get)(address).status_code == status
        assert (owner_client.get if post else owner_client.put)(address).status_code == 405
    picture = reverse("generation:projection_picture", args=[projection.pk, 0])
    answer = owner_client.get(picture)
    assert answer["Content-Type"] == "image/png"
    answer.getvalue()
    assert stranger_client.get(picture).status_code == 404
    assert (
        owner_client.get(reverse("generation:projection_picture", args=[projection.pk, 7])).status_code == 404
    )
    assert owner_client.get(projection.get_absolute_url()).status_code == 200
    delete = reverse("generation:projection_delete", args=[projection.pk])
    assert owner_client.post(delete).status_code == 409
