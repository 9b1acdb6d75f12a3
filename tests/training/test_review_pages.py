"""Reviewing an experiment: choosing, comparing, nearest training pictures, the film, saving."""

from http import HTTPStatus

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.urls import reverse

from catalog.models import CatalogModel
from jobs.models import Job, State
from training import services
from training.models import Experiment, Film, Snapshot

HTMX = {"HTTP_HX_REQUEST": "true"}
MAX_QUERIES = 15
PAGES = ["experiment_review", "experiment_compare", "experiment_nearest", "experiment_film"]


def url(name: str, *args: object) -> str:
    return reverse(f"training:{name}", args=args)


@pytest.fixture
def snapshots(experiment: Experiment, files) -> list[Snapshot]:
    """Two snapshots with weights and a sample, of a training that is under way."""
    grid = default_storage.save("jobs/x/grid.png", ContentFile(b"\x89PNG"))
    return [
        Snapshot.objects.create(
            experiment=experiment, step=step, attempt=1, images_seen=16, grid=grid, folder=folder,
            metrics={"distance": 1 / step, "distance_floor": 0.01, "distance_samples": 256},
        )
        for step, folder in ((2, "jobs/x"), (4, "jobs/x"), (5, ""))
    ]  # fmt: skip


class TestAccess:
    @pytest.mark.parametrize("name", PAGES)
    def test_pages(self, name, experiment, snapshots, owner_client, stranger_client, client):
        page = url(name, experiment.pk)
        assert owner_client.get(page).status_code == HTTPStatus.OK
        assert stranger_client.get(page).status_code == HTTPStatus.NOT_FOUND
        assert client.get(page)["Location"].startswith("/account/login/")
        assert owner_client.post(page).status_code == HTTPStatus.METHOD_NOT_ALLOWED

    @pytest.mark.parametrize("name", PAGES)
    def test_before_the_first_snapshot(self, name, experiment, owner_client):
        page = owner_client.get(url(name, experiment.pk))
        assert page.status_code == HTTPStatus.OK
        assert b'class="blank"' in page.content

    @pytest.mark.parametrize("name", PAGES)
    def test_few_queries(self, name, experiment, snapshots, owner_client, django_assert_max_num_queries):
        with django_assert_max_num_queries(MAX_QUERIES):
            owner_client.get(url(name, experiment.pk))


class TestReview:
    def test_shows_the_newest_or_the_one_that_is_asked_for(self, experiment, snapshots, owner_client):
        page = owner_client.get(url("experiment_review", experiment.pk)).content.decode()
        assert "a sample without weights" in page
        assert "Save to my models" not in page
        page = owner_client.get(url("experiment_review", experiment.pk), {"snapshot": snapshots[1].pk})
        assert b"Save to my models" in page.content
        assert b"Continue from here" in page.content
        assert b"0.25" in page.content
        fragment = owner_client.get(
            url("experiment_review", experiment.pk), {"snapshot": snapshots[0].pk}, **HTMX
        )
        assert b"<html" not in fragment.content
        assert b'id="chosen"' in fragment.content

    @pytest.mark.parametrize("wanted", ["x", "00000000-0000-0000-0000-000000000000"])
    def test_a_snapshot_that_is_not_there(self, wanted, experiment, snapshots, owner_client):
        for name, key in (("experiment_review", "snapshot"), ("experiment_compare", "a")):
            page = owner_client.get(url(name, experiment.pk), {key: wanted})
            assert page.status_code == HTTPStatus.NOT_FOUND


class TestCompare:
    def test_first_and_last_at_first(self, experiment, snapshots, owner_client):
        page = owner_client.get(url("experiment_compare", experiment.pk)).content.decode()
        assert "A, Step 2" in page
        assert "B, Step 5" in page
        assert page.count("data-cell") == 2 * 28

    def test_two_by_address_and_one_pair_large(self, experiment, snapshots, owner_client):
        asked = {"a": snapshots[1].pk, "b": snapshots[0].pk, "picture": "9"}
        page = owner_client.get(url("experiment_compare", experiment.pk), asked).content.decode()
        assert "A, Step 4" in page
        assert "B, Step 2" in page
        assert page.count('viewBox="1 1 1 1"') == 4  # twice large, twice in the sheets
        assert "Picture 9 at both snapshots" in page

    @pytest.mark.parametrize("number", ["0", "29", "x", "-1"])
    def test_a_picture_that_is_not_there_is_left_out(self, number, experiment, snapshots, owner_client):
        page = owner_client.get(url("experiment_compare", experiment.pk), {"picture": number})
        assert b'id="pair"' not in page.content

    def test_with_a_divider(self, experiment, snapshots, owner_client):
        page = owner_client.get(url("experiment_compare", experiment.pk), {"view": "divider"})
        assert b"data-compare" in page.content


class TestNearest:
    @pytest.fixture
    def measured(self, snapshots, dataset) -> Snapshot:
        """A snapshot of which two samples were looked up, one of them a copy."""
        snapshot = snapshots[1]
        near, far = dataset.images.all()[:2]
        snapshot.nearest = [
            {"sha256": near.sha256, "distance": 0.01, "share": 0.0, "is_suspect": True},
            {"sha256": far.sha256, "distance": 0.9, "share": 0.9, "is_suspect": False},
        ]
        snapshot.save()
        return snapshot

    def test_shows_the_pictures_and_warns_of_copies(self, measured, dataset, owner_client):
        page = owner_client.get(url("experiment_nearest", measured.experiment_id)).content.decode()
        assert "1 of the 28 samples is nearer to a training picture" in page
        assert "Nearly the same picture" in page
        assert "A picture of its own" in page
        near = dataset.images.first()
        assert url("image_show", dataset.pk, near.pk, "thumb") in page

    def test_all_is_well(self, measured, owner_client):
        measured.nearest = measured.nearest[1:]
        measured.save()
        page = owner_client.get(url("experiment_nearest", measured.experiment_id))
        assert b"None of the 28 samples" in page.content

    def test_a_picture_that_was_taken_out(self, measured, dataset, owner_client):
        services.remove_image(image=dataset.images.first())
        page = owner_client.get(url("experiment_nearest", measured.experiment_id))
        assert b"was taken out since" in page.content

    def test_a_dataset_that_was_deleted(self, measured, dataset, owner_client):
        services.delete_dataset(dataset=dataset)
        page = owner_client.get(url("experiment_nearest", measured.experiment_id))
        assert page.content.count(b"was taken out since") == 2


class TestFilm:
    def test_is_asked_for_once(self, experiment, snapshots, owner_client, stranger_client, client):
        make = url("experiment_film_make", experiment.pk)
        assert stranger_client.post(make).status_code == HTTPStatus.NOT_FOUND
        assert client.post(make).status_code == HTTPStatus.FOUND
        assert owner_client.get(make).status_code == HTTPStatus.METHOD_NOT_ALLOWED
        assert b"Make the video" in owner_client.get(url("experiment_film", experiment.pk)).content
        owner_client.post(make)
        owner_client.post(make)
        film = Film.objects.get()
        assert Job.objects.filter(kind=film.job.kind).count() == 1
        page = owner_client.get(url("experiment_film", experiment.pk))
        assert b"Making the video" in page.content
        shown = {"rev": page.context["progress"].rev}
        address = url("experiment_film", experiment.pk)
        assert owner_client.get(address, shown, **HTMX).status_code == HTTPStatus.NO_CONTENT
        assert b'hx-trigger="every 2s"' in owner_client.get(address, {"rev": "x"}, **HTMX).content

    def test_needs_two_snapshots(self, experiment, owner_client):
        response = owner_client.post(url("experiment_film_make", experiment.pk), follow=True)
        assert b"A film needs at least two snapshots" in response.content
        assert not Film.objects.exists()

    def test_is_played_saved_and_made_anew(self, experiment, snapshots, owner_client, stranger_client):
        address = url("experiment_film_file", experiment.pk)
        assert owner_client.get(address).status_code == HTTPStatus.NOT_FOUND
        film = services.make_film(experiment=experiment)
        Job.objects.filter(pk=film.job_id).update(state=State.SUCCEEDED)
        film.file, film.last_step = default_storage.save("jobs/x/film.mp4", ContentFile(b"mp4")), 5
        film.save()
        page = owner_client.get(url("experiment_film", experiment.pk)).content
        assert b"<video" in page
        assert b"Make the video" not in page
        response = owner_client.get(f"{address}?step=5&download")
        assert response["Content-Type"] == "video/mp4"
        assert response["Content-Disposition"] == 'attachment; filename="shells-from-tiny-5.mp4"'
        assert b"".join(response.streaming_content) == b"mp4"
        assert stranger_client.get(address).status_code == HTTPStatus.NOT_FOUND
        Snapshot.objects.create(experiment=experiment, step=6, attempt=1, images_seen=1, grid="g")
        assert b"Make the video anew" in owner_client.get(url("experiment_film", experiment.pk)).content
        services.make_film(experiment=experiment)
        assert Film.objects.get().job_id != film.job_id


class TestSave:
    def test_makes_a_model(self, trained, owner, owner_client):
        last = trained.snapshots.last()
        response = owner_client.post(
            url("experiment_save", trained.pk), {"snapshot": last.pk, "name": "My shells"}
        )
        model = CatalogModel.objects.get(saved_from=trained.job_id)
        assert response["Location"] == reverse("catalog:model_detail", args=[owner.handle, "my-shells"])
        assert model.title == "My shells"
        assert owner_client.get(response["Location"]).status_code == HTTPStatus.OK
        page = owner_client.get(url("experiment_review", trained.pk)).content
        assert b"Add this snapshot as a version" in page

    def test_a_foreign_snapshot_is_refused(self, trained, dataset, starting_point, owner, owner_client):
        other = services.start_experiment(
            owner=owner, dataset=dataset, starting_point=starting_point, steps=10
        )
        foreign = Snapshot.objects.create(
            experiment=other, step=1, attempt=1, images_seen=1, grid="g", folder="f"
        )
        response = owner_client.post(
            url("experiment_save", trained.pk), {"snapshot": foreign.pk, "name": "Mine"}
        )
        assert response.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
        assert b"There is no such snapshot" in response.content
        assert not CatalogModel.objects.filter(saved_from=other.job_id).exists()

    def test_without_a_name(self, trained, owner_client):
        first = trained.snapshots.first()
        response = owner_client.post(url("experiment_save", trained.pk), {"snapshot": first.pk, "name": ""})
        assert response.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
        assert response.context["snapshot"] == first
