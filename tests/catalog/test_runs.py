"""Ordering runs of models: what is made, what it costs, and that a bad file costs no other."""

import io

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from PIL import Image

from billing.models import Price
from billing.selectors import balance_of
from catalog.exceptions import ChainRefusedError, RunRefusedError, TooManyRunsError
from catalog.models import ModelRun, RunItem, RunResult, RunTiming
from catalog.runs import keys_in_use, measured
from catalog.services.runs import ItemOrder, StepOrder, delete_run, start_run
from engines.provenance import read
from jobs.models import State
from jobs.services import stop_job
from jobs.testing import run_pending
from tests.catalog.onnx_models import publish_doubler, publish_painter
from tests.wallets import give_credits

pytestmark = pytest.mark.usefixtures("licences")


def picture(colour=(250, 20, 20), size=(30, 20)) -> ContentFile:
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, "PNG")
    return ContentFile(buffer.getvalue(), name="given.png")


@pytest.fixture
def doubler(owner, tmp_path):
    return publish_doubler(owner, tmp_path / "doubler")


@pytest.fixture
def painter(owner, tmp_path):
    return publish_painter(owner, tmp_path / "painter")


def order(owner, *versions, items=None):
    steps = [StepOrder(version=version, settings={}) for version in versions]
    return start_run(owner=owner, steps=steps, items=items or [ItemOrder(name="a.png", file=picture())])


def test_kinds_are_written_when_a_model_is_published(doubler, painter, version):
    for one, kinds in ((doubler, ["image"]), (painter, ["labels"])):
        one.model.refresh_from_db()
        assert (one.model.input_kinds, one.model.output_kinds) == (["image"], kinds)
    version.model.refresh_from_db()
    assert (version.model.input_kinds, version.model.output_kinds) == (["number"], ["image"])


def test_one_bad_file_costs_no_other_and_nothing(owner, doubler):
    give_credits(owner, 100)
    before = balance_of(owner).available
    bad = ContentFile(b"no picture", name="bad.png")
    items = [
        ItemOrder(name="a.png", file=picture()),
        ItemOrder(name="bad.png", file=bad),
        ItemOrder(name="b.png", file=picture((20, 250, 20))),
    ]
    run = order(owner, doubler, items=items)
    price = Price.objects.get(code="run-transform", is_current=True)
    assert balance_of(owner).held == 3 * price.credits
    (job,) = run_pending()
    assert job.state == State.SUCCEEDED, job.error
    first, second, third = run.items.order_by("position")
    assert "not a picture" in second.error
    assert second.file == ""
    for item in (first, third):
        (result,) = item.results.all()
        assert (result.width, result.height, result.kind) == (60, 40, "image")
        assert item.file.startswith("jobs/")
        with default_storage.open(result.file) as stored:
            record = read(stored)
        assert record.model_sha256 == doubler.sha256
    assert balance_of(owner).available == before - 2 * price.credits
    assert balance_of(owner).held == 0
    assert RunTiming.objects.filter(version=doubler).count() == 2
    assert [one.count for one in measured(doubler)] == [2]


def test_a_chain_hands_on_what_its_steps_give_and_costs_their_sum(owner, doubler, painter):
    give_credits(owner, 100)
    before = balance_of(owner).available
    run = order(owner, doubler, painter)
    run_pending()
    larger, colour = RunResult.objects.order_by("step__position")
    assert larger.width == 60
    assert [one["label"] for one in colour.value] == ["red", "green"]
    prices = Price.objects.filter(code__in=("run-transform", "run-extract"), is_current=True)
    assert before - balance_of(owner).available == sum(price.credits for price in prices)
    assert run.steps.exclude(price=None).count() == 2


def test_nothing_that_came_out_is_a_failure_with_its_reason(owner, painter):
    run = order(owner, painter, items=[ItemOrder(name="x", file=ContentFile(b"GIF89a", name="x"))])
    (job,) = run_pending()
    assert job.state == State.FAILED
    assert "picture" in job.error
    assert balance_of(owner).held == 0
    assert not RunResult.objects.filter(item__run=run).exists()


def test_an_attempt_goes_on_behind_what_an_earlier_one_finished(owner, painter):
    items = [ItemOrder(name=name, file=picture()) for name in "ab"]
    run = order(owner, painter, items=items)
    step, first = run.steps.get(), run.items.get(position=0)
    RunResult.objects.create(item=first, step=step, output="colour", kind="labels", value=[])
    (job,) = run_pending()
    assert job.state == State.SUCCEEDED
    assert job.delivered == 2
    assert first.results.get().value == []


def test_kinds_that_do_not_match_are_refused_at_the_step(owner, doubler, painter):
    with pytest.raises(ChainRefusedError, match=r"takes a picture.* gives labels") as caught:
        order(owner, painter, doubler)
    assert caught.value.step == 1
    assert not ModelRun.objects.exists()


def test_limits_are_kept(owner, painter, settings, monkeypatch):
    settings.RUNS_WAITING_MAX = 1
    order(owner, painter)
    with pytest.raises(TooManyRunsError):
        order(owner, painter)
    with pytest.raises(RunRefusedError, match="1 to 100"):
        order(owner, painter, items=[ItemOrder() for _number in range(101)])


def test_a_deleted_run_takes_its_files_along(owner, doubler, django_capture_on_commit_callbacks):
    run = order(owner, doubler)
    with pytest.raises(RunRefusedError, match="still running"):
        delete_run(run=run)
    run_pending()
    item, result = RunItem.objects.get(), RunResult.objects.get()
    assert keys_in_use([item.file, result.file, "jobs/other"]) == {item.file, result.file}
    run.job.refresh_from_db()
    with django_capture_on_commit_callbacks(execute=True):
        delete_run(run=ModelRun.objects.get(pk=run.pk))
    assert not default_storage.exists(result.file)
    assert not default_storage.exists(item.file)


def test_what_was_brought_goes_when_a_run_is_stopped(owner, painter, django_capture_on_commit_callbacks):
    run = order(owner, painter)
    brought = run.items.get().file
    assert default_storage.exists(brought)
    with django_capture_on_commit_callbacks(execute=True):
        stop_job(job=run.job)
    assert run.items.get().file == ""
    assert not default_storage.exists(brought)
