"""Pages of experiments: the owner, a stranger, nobody, the wrong method."""

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.urls import reverse

from jobs.claims import claim_job
from jobs.models import Job, State
from jobs.testing import run_pending
from tests.training import crafted
from tests.training.conftest import fill
from training import services
from training.models import Experiment, Snapshot, TrainingStat

HTMX = {"HTTP_HX_REQUEST": "true"}
MAX_QUERIES = 15
ACTIONS = [
    "experiment_stop",
    "experiment_resume",
    "experiment_sample",
    "experiment_snapshot",
    "experiment_save",
    "experiment_delete",
]


def url(name: str, *args: object) -> str:
    return reverse(f"training:{name}", args=args)


def start(experiment: Experiment) -> Job:
    """Let a worker hold the experiment's job."""
    job = claim_job(queue="train", worker="a test")
    experiment.refresh_from_db()
    return job


@pytest.fixture
def snapshot(experiment: Experiment, files) -> Snapshot:
    """A snapshot with a stored grid, and nothing else of a training."""
    key = default_storage.save("jobs/x/grid.png", ContentFile(b"\x89PNG"))
    return Snapshot.objects.create(
        experiment=experiment, step=4, attempt=1, images_seen=16, grid=key, folder="jobs/x"
    )


class TestAccess:
    """Whoever is not the owner finds nothing; whoever is not signed in is sent to sign in."""

    @pytest.mark.parametrize("name", ["experiment_detail", "experiment_delete"])
    def test_pages(self, name, experiment, owner_client, stranger_client, client):
        page = url(name, experiment.pk)
        assert owner_client.get(page).status_code == 200
        assert stranger_client.get(page).status_code == 404
        assert client.get(page)["Location"].startswith("/account/login/")

    @pytest.mark.parametrize("name", ACTIONS)
    def test_actions(self, name, experiment, stranger_client, client):
        action = url(name, experiment.pk)
        assert stranger_client.post(action).status_code == 404
        assert client.post(action).status_code == 302
        experiment.refresh_from_db()
        assert experiment.job.state == State.QUEUED

    @pytest.mark.parametrize("name", ACTIONS[:-1])
    def test_actions_need_a_post(self, name, experiment, owner_client):
        assert owner_client.get(url(name, experiment.pk)).status_code == 405

    def test_pages_take_no_post(self, experiment, owner_client):
        assert owner_client.post(url("experiment_detail", experiment.pk)).status_code == 405
        assert owner_client.post(url("experiment_list")).status_code == 405

    def test_grids(self, snapshot, owner_client, stranger_client, client):
        grid = url("snapshot_grid", snapshot.experiment_id, snapshot.pk)
        response = owner_client.get(f"{grid}?attempt=1")
        assert response["Content-Type"] == "image/png"
        assert "immutable" in response["Cache-Control"]
        assert b"".join(response.streaming_content) == b"\x89PNG"
        response = owner_client.get(f"{grid}?download")
        assert b"".join(response.streaming_content)
        assert "no-store" in response["Cache-Control"]
        assert response["Content-Disposition"] == 'attachment; filename="shells-from-tiny-000004.png"'
        assert stranger_client.get(grid).status_code == 404
        assert client.get(grid).status_code == 302

    def test_an_anonymous_poll_moves_the_page(self, experiment, client):
        response = client.get(url("experiment_detail", experiment.pk), {"rev": 1}, **HTMX)
        assert response["HX-Redirect"].startswith("/account/login/")


class TestList:
    def test_groups_by_how_far_they_are(self, experiment, owner_client, stranger_client, client):
        page = owner_client.get(url("experiment_list")).content.decode()
        assert "In progress" in page
        assert "Not started" not in page
        services.create_draft(owner=experiment.owner, dataset=experiment.dataset_version.dataset)
        services.stop_training(training=experiment)
        page = owner_client.get(url("experiment_list")).content.decode()
        assert "In progress" not in page
        assert page.index("Not started") < page.index("Next: the setup") < page.index("Completed")
        services.delete_dataset(dataset=experiment.dataset_version.dataset)
        assert "Your experiments will be here" in stranger_client.get(url("experiment_list")).content.decode()
        assert client.get(url("experiment_list")).status_code == 302

    def test_a_poll_is_204_until_something_changes(self, experiment, owner_client):
        rev = owner_client.get(url("experiment_list")).context["rev"]
        assert owner_client.get(url("experiment_list"), {"rev": rev}, **HTMX).status_code == 204
        start(experiment)
        assert owner_client.get(url("experiment_list"), {"rev": rev}, **HTMX).status_code == 200

    def test_few_queries(self, dataset, owner, owner_client, django_assert_max_num_queries):
        for _number in range(5):
            services.start_experiment(owner=owner, dataset=dataset, starting_point=None, steps=10)
            services.create_draft(owner=owner, dataset=dataset)
        with django_assert_max_num_queries(MAX_QUERIES):
            owner_client.get(url("experiment_list"))


class TestDetail:
    def test_few_queries_whatever_the_number_of_snapshots(
        self, snapshot, owner_client, django_assert_max_num_queries
    ):
        experiment = snapshot.experiment
        Snapshot.objects.bulk_create(
            Snapshot(experiment=experiment, step=step, attempt=1, images_seen=1, grid="g", folder="f")
            for step in range(10, 60)
        )
        TrainingStat.objects.bulk_create(
            TrainingStat(experiment=experiment, step=step, values={"loss_g": 1.0, "loss_d": 0.5 + step})
            for step in range(1, 60)
        )
        start(experiment)
        with django_assert_max_num_queries(MAX_QUERIES):
            page = owner_client.get(url("experiment_detail", experiment.pk)).content.decode()
        assert page.count("data-step=") == 51
        assert "<polyline" in page
        assert "Show the numbers" in page

    def test_quality_is_drawn_beside_its_floor_and_named_with_its_count(self, snapshot, owner_client):
        experiment = snapshot.experiment
        page = owner_client.get(url("experiment_detail", experiment.pk)).content.decode()
        assert "not measured yet" in page
        figures = {"distance": 0.5, "distance_floor": 0.1, "distance_samples": 256}
        for step in (10, 20):
            Snapshot.objects.create(
                experiment=experiment, step=step, attempt=1, images_seen=1, grid="g", metrics=figures
            )
        page = owner_client.get(url("experiment_detail", experiment.pk)).content.decode()
        assert "Frechet distance on random features by step, measured on 256 pictures." in page
        assert page.count("<polyline") >= 2
        assert "on 256 pictures" in page
        assert "not measured yet" in page

    def test_what_it_continues_is_said(self, snapshot, dataset, owner, owner_client):
        second = services.start_experiment(
            owner=owner, dataset=dataset, starting_point=None, steps=10, continued_from=snapshot
        )
        page = owner_client.get(url("experiment_detail", second.pk)).content.decode()
        assert "Continued from" in page
        assert "at step 4." in page

    def test_waits_in_the_queue(self, experiment, owner_client):
        assert b"It comes next" in owner_client.get(url("experiment_detail", experiment.pk)).content

    def test_waits_until_another_ends(self, experiment, dataset, starting_point, owner, owner_client):
        second = services.start_experiment(
            owner=owner, dataset=dataset, starting_point=starting_point, steps=8
        )
        page = owner_client.get(url("experiment_detail", second.pk)).content.decode()
        assert "It waits until one of your trainings ends." in page

    def test_a_poll_is_204_until_something_changes(self, experiment, owner_client):
        address = url("experiment_detail", experiment.pk)
        rev = owner_client.get(address).context["progress"].rev
        assert owner_client.get(address, {"rev": rev}, **HTMX).status_code == 204
        start(experiment)
        response = owner_client.get(address, {"rev": rev}, **HTMX)
        assert response.status_code == 200
        assert b"<html" not in response.content
        assert b"Sample now" in response.content
        assert b'hx-trigger="every 2s"' in response.content

    def test_a_done_training_polls_no_more(self, trained, owner_client):
        response = owner_client.get(url("experiment_detail", trained.pk), {"rev": 0}, **HTMX)
        for fragment in ("status", "steps", "samples", "charts", "log"):
            assert f'id="{fragment}"'.encode() in response.content
        assert b"hx-trigger" not in response.content
        page = owner_client.get(url("experiment_detail", trained.pk)).content
        assert b"Review and save" in page
        assert b"Resume" not in page

    def test_the_film_is_sent_again_only_with_new_pictures(self, snapshot, owner_client):
        start(snapshot.experiment)
        address = url("experiment_detail", snapshot.experiment_id)
        response = owner_client.get(address, {"rev": 0, "newest": snapshot.pk}, **HTMX)
        assert b'id="samples"' not in response.content
        response = owner_client.get(address, {"rev": 0, "newest": ""}, **HTMX)
        assert b'id="samples"' in response.content


class TestSteering:
    def test_cancel_while_it_waits(self, experiment, owner_client):
        response = owner_client.post(url("experiment_stop", experiment.pk))
        assert response["Location"] == url("experiment_detail", experiment.pk)
        experiment.job.refresh_from_db()
        assert experiment.job.state == State.CANCELED

    def test_stop_while_it_runs_answers_with_the_fragments(self, experiment, owner_client):
        start(experiment)
        response = owner_client.post(url("experiment_stop", experiment.pk), **HTMX)
        assert b"Stopping" in response.content
        experiment.job.refresh_from_db()
        assert experiment.job.state == State.STOPPING

    def test_samples_and_snapshots_are_asked_for(self, experiment, owner_client):
        start(experiment)
        owner_client.post(url("experiment_sample", experiment.pk))
        owner_client.post(url("experiment_snapshot", experiment.pk))
        experiment.job.refresh_from_db()
        assert experiment.job.sample_requested_at
        assert experiment.job.snapshot_requested_at

    def test_what_cannot_be_done_is_said(self, experiment, owner_client):
        response = owner_client.post(url("experiment_sample", experiment.pk), follow=True)
        assert b"The training is not running" in response.content
        response = owner_client.post(url("experiment_resume", experiment.pk), follow=True)
        assert b"Only a stopped or failed job can be resumed" in response.content

    def test_resume(self, experiment, owner_client):
        start(experiment)
        Job.objects.filter(pk=experiment.job_id).update(state=State.STOPPED, lease_until=None)
        assert b"Resume" in owner_client.get(url("experiment_detail", experiment.pk)).content
        owner_client.post(url("experiment_resume", experiment.pk))
        experiment.job.refresh_from_db()
        assert experiment.job.state == State.QUEUED


class TestDelete:
    def test_asks_then_deletes(self, experiment, owner_client):
        page = owner_client.get(url("experiment_delete", experiment.pk)).content
        assert b"No model has been saved" in page
        assert b"0 snapshots are deleted" in page
        assert b"the credits that were held go back to you" in page
        response = owner_client.post(url("experiment_delete", experiment.pk))
        assert response["Location"] == url("experiment_list")
        assert not Experiment.objects.exists()

    def test_a_running_one_is_kept(self, experiment, owner_client):
        start(experiment)
        response = owner_client.post(url("experiment_delete", experiment.pk), follow=True)
        assert b"Stop it first" in response.content
        assert Experiment.objects.exists()


def test_the_whole_line_from_files_to_a_model(licence, starting_point_64, owner, owner_client):
    """What a person does, by the pages alone; the jobs run through the real path in between."""
    owner_client.post(url("dataset_create"), {"name": "Beach", "purpose": "experiment"})
    dataset = owner.datasets.get()
    members = {f"{number}.png": crafted.png(number, width=64, height=64) for number in range(52)}
    archive = ContentFile(crafted.zipped(members), name="beach.zip")
    owner_client.post(url("dataset_add", dataset.pk), {"files": archive})
    run_pending("light")
    stated = {"source_note": "I made them.", "licence": "own-work", "people": "none"}
    owner_client.post(url("dataset_rights", dataset.pk), stated)
    owner_client.post(url("experiment_create"), {"dataset": dataset.pk})
    draft = owner.experiment_drafts.get()
    chosen = {"start": starting_point_64.pk, "crop": "random", "steps": 10}
    owner_client.post(url("draft_setup", draft.pk), chosen)
    owner_client.post(url("draft_start", draft.pk))
    experiment = owner.experiments.get()
    (job,) = run_pending("train")
    assert job.state == State.SUCCEEDED
    page = owner_client.get(url("experiment_detail", experiment.pk)).content
    assert b"Step 10" in page
    last = experiment.snapshots.get()
    owner_client.post(url("experiment_save", experiment.pk), {"snapshot": last.pk, "name": "Beach"})
    version = owner.models.get(saved_from=job.pk).latest_version
    assert version.resolution == 64
    fill(dataset, 1, first=900)
    assert experiment.dataset_version.count == 52
