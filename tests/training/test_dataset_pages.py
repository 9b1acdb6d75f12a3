"""Pages of datasets: the owner, a stranger, nobody, the wrong method."""

import pytest
from django.core.files.base import ContentFile
from django.urls import reverse

from jobs.testing import run_pending
from tests.training import crafted
from tests.training.conftest import fill
from training import services
from training.models import Dataset, DatasetImage, Purpose
from training.selectors import PICTURES_PER_PAGE

HTMX = {"HTTP_HX_REQUEST": "true"}
MAX_QUERIES = 15


def url(name: str, *args: object) -> str:
    return reverse(f"training:{name}", args=args)


@pytest.fixture
def image(dataset: Dataset) -> DatasetImage:
    return dataset.images.first()


class TestAccess:
    """Whoever is not the owner finds nothing; whoever is not signed in is sent to sign in."""

    @pytest.fixture(params=["dataset_detail", "dataset_delete"])
    def page(self, request, dataset):
        return url(request.param, dataset.pk)

    @pytest.fixture(params=["dataset_add", "dataset_delete"])
    def action(self, request, dataset):
        return url(request.param, dataset.pk)

    def test_the_owner_sees_the_page(self, page, owner_client):
        assert owner_client.get(page).status_code == 200

    def test_a_stranger_finds_nothing(self, page, stranger_client):
        assert stranger_client.get(page).status_code == 404

    def test_nobody_is_sent_to_sign_in(self, page, client):
        response = client.get(page)
        assert response.status_code == 302
        assert response["Location"].startswith("/account/login/")

    def test_a_stranger_changes_nothing(self, action, stranger_client, dataset):
        assert stranger_client.post(action).status_code == 404
        dataset.refresh_from_db()
        assert dataset.picture_count == dataset.images.count() == 50

    def test_nobody_changes_nothing(self, action, client):
        assert client.post(action).status_code == 302
        assert Dataset.objects.count() == 1

    @pytest.mark.parametrize("size", ["small", "thumb", "full"])
    def test_pictures_are_their_owners(self, image, size, owner_client, stranger_client, client):
        address = url("image_show", image.dataset_id, image.pk, size)
        response = owner_client.get(address)
        assert response.status_code == 200
        assert response["Content-Type"] == ("image/png" if size == "full" else "image/webp")
        assert response["X-Content-Type-Options"] == "nosniff"
        assert response["Content-Security-Policy"] == "sandbox"
        assert "immutable" in response["Cache-Control"]
        assert b"".join(response.streaming_content)
        assert stranger_client.get(address).status_code == 404
        assert client.get(address).status_code == 302

    def test_a_picture_is_found_in_its_own_dataset_only(self, image, make_dataset, owner, owner_client):
        other = make_dataset(owner)
        assert owner_client.get(url("image_show", other.pk, image.pk, "thumb")).status_code == 404

    def test_adding_needs_a_post(self, dataset, owner_client):
        assert owner_client.get(url("dataset_add", dataset.pk)).status_code == 405

    def test_pages_take_no_post(self, dataset, owner_client):
        assert owner_client.post(url("dataset_detail", dataset.pk)).status_code == 405
        assert owner_client.post(url("dataset_list")).status_code == 405


class TestList:
    def test_shows_own_datasets_and_samples(self, dataset, owner_client, stranger_client, client):
        assert b"Shells" in owner_client.get(url("dataset_list")).content
        page = stranger_client.get(url("dataset_list")).content
        assert b"Shells" not in page
        assert b"Samples to try" in page
        assert client.get(url("dataset_list")).status_code == 302

    def test_few_queries(self, make_dataset, owner, owner_client, django_assert_max_num_queries):
        for number in range(5):
            make_dataset(owner, 6, name=f"Set {number}")
        with django_assert_max_num_queries(MAX_QUERIES):
            owner_client.get(url("dataset_list"))


class TestCreate:
    def test_makes_a_dataset(self, licence, owner, owner_client):
        assert owner_client.get(url("dataset_create")).status_code == 200
        response = owner_client.post(url("dataset_create"), {"name": "Shells", "purpose": "object"})
        dataset = Dataset.objects.get()
        assert response["Location"] == url("dataset_detail", dataset.pk)
        assert (dataset.owner, dataset.name, dataset.purpose) == (owner, "Shells", Purpose.OBJECT)
        assert dataset.rights_stated_at is None

    @pytest.mark.parametrize("name", ["", " ", "x" * 81, "bad\x07name"])
    def test_keeps_the_form_and_says_why(self, licence, name, owner_client):
        response = owner_client.post(url("dataset_create"), {"name": name, "purpose": "style"})
        assert response.status_code == 422
        assert b"errorlist" in response.content
        assert b'value="style" required checked' in response.content
        assert not Dataset.objects.exists()

    @pytest.mark.parametrize("purpose", ["", "dragon"])
    def test_a_purpose_is_one_of_those_offered(self, licence, purpose, owner_client):
        response = owner_client.post(url("dataset_create"), {"name": "Shells", "purpose": purpose})
        assert response.status_code == 422
        assert b"purpose-error" in response.content

    def test_a_posted_owner_is_ignored(self, licence, owner, stranger, owner_client):
        owner_client.post(url("dataset_create"), {"name": "A", "purpose": "experiment", "owner": stranger.pk})
        assert Dataset.objects.get().owner == owner

    def test_names_are_shown_as_text(self, licence, owner_client):
        sent = {"name": "<script>1</script>", "purpose": "experiment"}
        owner_client.post(url("dataset_create"), sent)
        page = owner_client.get(url("dataset_list")).content
        assert b"<script>1" not in page
        assert b"&lt;script&gt;1" in page


class TestEdit:
    def test_changes_name_and_purpose(self, dataset, owner_client):
        assert b"Shells" in owner_client.get(url("dataset_edit", dataset.pk)).content
        sent = {"name": "Snails", "purpose": "style"}
        response = owner_client.post(url("dataset_edit", dataset.pk), sent)
        assert response["Location"] == url("dataset_detail", dataset.pk)
        dataset.refresh_from_db()
        assert (dataset.name, dataset.purpose) == ("Snails", Purpose.STYLE)
        page = owner_client.get(url("dataset_detail", dataset.pk)).content
        assert b"Enough for a good training" in page  # 50 pictures, of which 15 would do

    def test_says_what_is_wrong(self, dataset, owner_client):
        response = owner_client.post(url("dataset_edit", dataset.pk), {"name": "", "purpose": "style"})
        assert response.status_code == 422
        assert b"Shells" in response.content
        dataset.refresh_from_db()
        assert dataset.name == "Shells"


class TestSample:
    def test_is_drawn_for_whoever_asks(self, licence, owner, owner_client):
        response = owner_client.post(url("dataset_sample", "cats"))
        dataset = Dataset.objects.get()
        assert response["Location"] == url("dataset_detail", dataset.pk)
        assert dataset.owner == owner
        assert b"Drawing pictures" in owner_client.get(url("dataset_detail", dataset.pk)).content

    def test_can_lead_on_to_an_experiment(self, licence, owner_client):
        response = owner_client.post(url("dataset_sample", "cats"), {"next": "train"})
        assert response["Location"] == f"{url('experiment_create')}?dataset={Dataset.objects.get().pk}"

    def test_an_unknown_family_is_not_found(self, licence, owner_client):
        assert owner_client.post(url("dataset_sample", "dragons")).status_code == 404

    def test_needs_a_post_and_a_person(self, licence, owner_client, client):
        assert owner_client.get(url("dataset_sample", "cats")).status_code == 405
        assert client.post(url("dataset_sample", "cats")).status_code == 302
        assert not Dataset.objects.exists()


class TestDetail:
    def test_few_queries_whatever_the_number_of_pictures(
        self, dataset, owner_client, django_assert_max_num_queries
    ):
        fill(dataset, 80, first=100)
        services.add_files(dataset=dataset, arrived=[named("a.png", b"x"), named("b.png", b"y")])
        with django_assert_max_num_queries(MAX_QUERIES):
            owner_client.get(url("dataset_detail", dataset.pk))

    def test_pictures_come_in_pages(self, dataset, owner_client):
        fill(dataset, 80, first=100)
        seen = []
        address = url("dataset_detail", dataset.pk)
        while address:
            page = owner_client.get(address).context["page"]
            seen += [picture.pk for picture in page.pictures]
            cursor = page.next_cursor.replace("+", "%2B")
            address = f"{url('dataset_detail', dataset.pk)}?after={cursor}" if cursor else ""
        assert len(seen) == len(set(seen)) == 130 > PICTURES_PER_PAGE

    def test_the_next_page_is_a_fragment(self, dataset, owner_client):
        fill(dataset, 30, first=100)
        address = url("dataset_detail", dataset.pk)
        cursor = owner_client.get(address).context["page"].next_cursor
        response = owner_client.get(address, {"after": cursor}, **HTMX)
        assert b"<html" not in response.content
        assert response.content.count(b'class="tile"') == 20

    @pytest.mark.parametrize("cursor", ["x", "2026-01-01_x", "2026-01-01T00:00:00_" + "0" * 32, "_", "\0"])
    def test_a_tampered_cursor_is_a_bad_request(self, dataset, cursor, owner_client):
        assert owner_client.get(url("dataset_detail", dataset.pk), {"after": cursor}).status_code == 400

    def test_polls_until_all_is_checked(self, empty_dataset, owner_client):
        services.add_files(dataset=empty_dataset, arrived=[named("a.png", crafted.png(1))])
        address = url("dataset_detail", empty_dataset.pk)
        rev = owner_client.get(address).context["filling"].rev
        assert owner_client.get(address, {"rev": rev}, **HTMX).status_code == 204
        run_pending("light")
        response = owner_client.get(address, {"rev": rev}, **HTMX)
        assert response.status_code == 200
        assert b'hx-trigger="every 2s"' not in response.content
        assert b'id="pictures"' in response.content
        assert b'<span class="num" id="picture-count" hx-swap-oob="true">1</span>' in response.content
        assert b'<span id="export" hx-swap-oob="true"><a' in response.content
        assert b'alt="a.png"' in response.content

    def test_says_what_training_needs(self, make_dataset, owner, owner_client):
        page = owner_client.get(url("dataset_detail", make_dataset(owner, 3).pk)).content
        assert b"Training needs at least 50 pictures. Add 47 more" in page
        assert b"Train a model" not in page
        page = owner_client.get(url("dataset_detail", make_dataset(owner, 50, "B").pk)).content
        assert b"Train a model" in page


class TestDelete:
    def test_names_what_depends_on_it(self, experiment, dataset, owner_client):
        page = owner_client.get(url("dataset_delete", dataset.pk)).content
        assert b"1 training with it is waiting or running" in page
        assert Dataset.objects.exists()

    def test_deletes_after_the_answer(self, experiment, dataset, owner_client):
        response = owner_client.post(url("dataset_delete", dataset.pk))
        assert response["Location"] == url("dataset_list")
        assert not Dataset.objects.exists()
        page = owner_client.get(url("experiment_detail", experiment.pk)).content
        assert b"dataset was deleted" in page


def named(name: str, content: bytes):
    return ContentFile(content, name=name)
