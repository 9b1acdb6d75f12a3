"""Orders that are made in one batch: each gets what it would have got alone."""

import io

import numpy as np
import pytest
from django.core.files.storage import default_storage
from PIL import Image

from accounts.models import User
from catalog.models import Licence, ModelVersion
from catalog.services import publish_version
from catalog.services.seed import STARTERS_DIR, seed_licences
from generation import jobs as generation_jobs
from generation.models import Generation
from generation.services import MAX_TOGETHER, quote_generation, start_generation
from jobs.models import Job, State
from jobs.testing import run_pending
from tests.wallets import give_credits

# The most by which a picture may differ from what it would have been alone, of 255 levels.
TOLERANCE = 1


@pytest.fixture
def starter(db: None, owner: User) -> ModelVersion:
    """The starter that is shipped, as the owner's model."""
    seed_licences()
    return publish_version(
        owner=owner,
        folder=STARTERS_DIR / "people64",
        name="faces",
        title="Faces",
        licence=Licence.objects.get(slug="cc0-1.0"),
        attribution="Atelier",
    )


@pytest.fixture
def order(owner: User, starter: ModelVersion):
    """Return a function that orders pictures from the starter: `order([4, 5])`."""
    give_credits(owner, 1000)

    def order(seeds: list[int], truncation_psi: float = 0.7) -> Generation:
        return start_generation(owner=owner, version=starter, seeds=seeds, truncation_psi=truncation_psi)

    return order


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[list[list[int]]]:
    """Return the seeds of every computation, order by order."""
    calls: list[list[list[int]]] = []
    make_together = generation_jobs.make_together

    def watch(wanted):
        calls.append([list(one.seeds) for one in wanted])
        return make_together(wanted)

    monkeypatch.setattr(generation_jobs, "make_together", watch)
    return calls


def pixels(generation: Generation) -> np.ndarray:
    """Return an order's pictures, `[N, H, W, 3]`."""
    images = []
    for picture in generation.pictures.order_by("index"):
        with default_storage.open(picture.file) as stored:
            images.append(np.asarray(Image.open(io.BytesIO(stored.read()))))
    return np.stack(images)


def test_pictures_are_those_they_would_have_been_alone(order, calls):
    wanted = [[1], [2, 3, 4], [5], [6, 7], [8]]
    truncations = [0.7, 0.5, 1.0, 0.7, 0.0]
    together = [order(*one) for one in zip(wanted, truncations, strict=True)]
    run_pending("generate")
    alone = [order(*one) for one in zip(wanted, truncations, strict=True)]
    Job.objects.filter(state=State.QUEUED).update(batch_key="")
    run_pending("generate")

    assert calls == [wanted, *([seeds] for seeds in wanted)]
    for one, other in zip(together, alone, strict=True):
        difference = np.abs(pixels(one).astype(int) - pixels(other).astype(int))
        assert pixels(one).shape == (one.count, 64, 64, 3)
        assert difference.max() <= TOLERANCE


def test_every_order_has_its_own_end_and_receipt(order, calls):
    orders = [order([1]), order([2, 3, 4])]

    run_pending("generate")

    assert len(calls) == 1
    for generation in orders:
        job = Job.objects.get(pk=generation.job_id)
        assert (job.state, job.step, job.delivered) == (State.SUCCEEDED, generation.count, generation.count)
        assert job.price_charged == job.price_held == quote_generation(generation.count).credits


def test_one_that_cannot_be_done_leaves_the_others_alone(order, calls):
    broken, fine = order([1]), order([2])
    Generation.objects.filter(pk=broken.pk).update(model_version=None)

    run_pending("generate")

    states = dict(Job.objects.values_list("pk", "state"))
    assert (states[broken.job_id], states[fine.job_id]) == (State.FAILED, State.SUCCEEDED)
    assert Job.objects.get(pk=broken.job_id).price_charged == 0
    assert calls == [[[2]]]


def test_a_batch_has_a_greatest_size(order, calls):
    for seed in range(3):
        order([100 * seed + number for number in range(MAX_TOGETHER // 2)])

    run_pending("generate")

    assert [len(call) for call in calls] == [2, 1]
