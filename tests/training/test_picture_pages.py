"""Pages of single pictures, of several that are selected, and of those that are nearly alike."""

import uuid

import pytest
from django.core.files.storage import default_storage
from django.urls import reverse

from tests.training.conftest import add_picture, fill
from training import files, tallies
from training.models import Dataset, DatasetImage
from training.selectors import GROUPS_PER_PAGE, SHOWN_OF_A_GROUP, group_page, spare_pictures

MAX_QUERIES = 15


def url(name: str, *args: object) -> str:
    return reverse(f"training:{name}", args=args)


@pytest.fixture
def few(make_dataset, owner) -> Dataset:
    return make_dataset(owner, 5, name="Few")


def make_alike(dataset: Dataset, images: list[DatasetImage]) -> uuid.UUID:
    group = uuid.uuid4()
    dataset.images.filter(pk__in=[image.pk for image in images]).update(likeness_group=group)
    return group


@pytest.fixture
def twins(few) -> tuple[uuid.UUID, DatasetImage, DatasetImage]:
    """A group of two, and the larger one of these."""
    large = add_picture(few, 77, width=128, height=128)
    small = few.images.exclude(pk=large.pk).first()
    return make_alike(few, [large, small]), large, small


class TestFilter:
    def test_shows_the_pictures_with_a_mark(self, few, owner_client):
        large = add_picture(few, 77, width=300, height=300)
        page = owner_client.get(url("dataset_detail", few.pk), {"show": "small"}).context["page"]
        assert {picture.pk for picture in page.pictures} == set(
            few.images.exclude(pk=large.pk).values_list("pk", flat=True)
        )

    def test_counts_stand_beside_the_marks(self, few, owner_client):
        tallies.recount(few)
        filters = owner_client.get(url("dataset_detail", few.pk)).context["filters"]
        assert filters == [("small", 5)]

    def test_goes_on_from_page_to_page(self, make_dataset, owner, owner_client):
        dataset = make_dataset(owner, 65)
        address = url("dataset_detail", dataset.pk)
        cursor = owner_client.get(address, {"show": "small"}).context["page"].next_cursor
        response = owner_client.get(
            address, {"show": "small", "after": cursor}, headers={"HX-Request": "true"}
        )
        assert response.content.count(b'class="tile"') == 5

    def test_none_left_is_said(self, few, owner_client):
        page = owner_client.get(url("dataset_detail", few.pk), {"show": "blurred"}).content
        assert b"No picture has this mark any more" in page

    def test_an_unknown_mark_is_a_bad_request(self, few, owner_client):
        assert owner_client.get(url("dataset_detail", few.pk), {"show": "dragon"}).status_code == 400


class TestPicture:
    def test_says_what_is_known_and_what_to_do(self, few, owner_client):
        image = few.images.first()
        few.images.filter(pk=image.pk).update(blur=0.7, brightness=0.5, contrast=0.3)
        page = owner_client.get(url("image_detail", few.pk, image.pk)).content.decode()
        assert "64 × 64" in page
        assert "It looks blurred" in page
        assert "70%" in page

    def test_is_found_in_its_own_dataset_only(self, few, dataset, owner_client):
        assert owner_client.get(url("image_detail", dataset.pk, few.images.first().pk)).status_code == 404

    def test_an_older_picture_has_no_smaller_copy(self, few, owner_client):
        image = few.images.first()
        default_storage.delete(files.small_key(image.thumbnail))
        response = owner_client.get(url("image_show", few.pk, image.pk, "small"))
        assert response.status_code == 200
        with default_storage.open(image.thumbnail) as thumbnail:
            assert b"".join(response.streaming_content) == thumbnail.read()


class TestRemove:
    def test_asks_first(self, few, owner_client):
        chosen = [str(image.pk) for image in few.images.all()[:2]]
        page = owner_client.post(url("dataset_remove", few.pk), {"pictures": chosen}).content
        assert b"Remove 2 pictures?" in page
        assert few.images.count() == 5

    def test_then_removes(self, few, owner_client):
        chosen = [str(image.pk) for image in few.images.all()[:2]]
        sent = {"pictures": ",".join(chosen), "confirmed": "yes", "show": "small"}
        response = owner_client.post(url("dataset_remove", few.pk), sent)
        assert response["Location"] == url("dataset_detail", few.pk) + "?show=small"
        few.refresh_from_db()
        assert few.picture_count == few.images.count() == 3
        assert b"2 pictures were removed" in owner_client.get(url("dataset_detail", few.pk)).content

    def test_takes_the_files_along(self, few, owner_client, django_capture_on_commit_callbacks):
        image = few.images.first()
        kept = [image.file, image.thumbnail, files.small_key(image.thumbnail)]
        assert all(default_storage.exists(key) for key in kept)
        with django_capture_on_commit_callbacks(execute=True):
            owner_client.post(url("dataset_remove", few.pk), {"pictures": image.pk, "confirmed": "yes"})
        assert not any(default_storage.exists(key) for key in kept)

    @pytest.mark.parametrize("confirmed", [{}, {"confirmed": "yes"}])
    def test_a_foreign_picture_among_them_changes_nothing(
        self, few, make_dataset, stranger, owner_client, confirmed
    ):
        foreign = make_dataset(stranger, 1).images.get()
        sent = {"pictures": [few.images.first().pk, foreign.pk], **confirmed}
        assert owner_client.post(url("dataset_remove", few.pk), sent).status_code == 404
        assert (few.images.count(), DatasetImage.objects.filter(pk=foreign.pk).count()) == (5, 1)

    def test_what_is_no_id_is_not_found(self, few, owner_client):
        assert owner_client.post(url("dataset_remove", few.pk), {"pictures": "x"}).status_code == 404

    def test_nothing_selected_is_said(self, few, owner_client):
        response = owner_client.post(url("dataset_remove", few.pk))
        assert response.status_code == 422
        assert b"Select at least one picture" in response.content

    def test_an_unknown_filter_leads_to_all(self, few, owner_client):
        sent = {"pictures": few.images.first().pk, "confirmed": "yes", "show": "//evil"}
        response = owner_client.post(url("dataset_remove", few.pk), sent)
        assert response["Location"] == url("dataset_detail", few.pk)


class TestGroups:
    def test_the_largest_comes_first(self, few, twins, owner_client):
        group, large, small = twins
        page = owner_client.get(url("dataset_groups", few.pk)).context["page"]
        (found,) = page.groups
        assert (found.id, found.count, found.spare, found.more) == (group, 2, 1, 0)
        assert [picture.pk for picture in found.pictures] == [large.pk, small.pk]

    def test_the_sharper_of_two_as_large_comes_first(self, few):
        first, second = few.images.all()[:2]
        make_alike(few, [first, second])
        few.images.filter(pk=first.pk).update(blur=0.5)
        few.images.filter(pk=second.pk).update(blur=0.1)
        assert [picture.pk for picture in group_page(few, "").groups[0].pictures] == [second.pk, first.pk]
        assert spare_pictures(few) == [first.pk]

    def test_there_may_be_none(self, few, owner_client):
        assert b"No near-copies" in owner_client.get(url("dataset_groups", few.pk)).content

    def test_large_groups_are_cut_and_many_come_in_pages(self, make_dataset, owner):
        dataset = make_dataset(owner, 2 * (GROUPS_PER_PAGE + 3))
        images = list(dataset.images.all())
        groups = {make_alike(dataset, images[at : at + 2]) for at in range(0, len(images), 2)}
        first = group_page(dataset, "")
        second = group_page(dataset, first.next_cursor)
        assert (len(first.groups), len(second.groups), second.next_cursor) == (GROUPS_PER_PAGE, 3, "")
        assert {group.id for group in [*first.groups, *second.groups]} == groups
        make_alike(dataset, images)
        (whole,) = group_page(dataset, "").groups
        assert (len(whole.pictures), whole.more) == (SHOWN_OF_A_GROUP, len(images) - SHOWN_OF_A_GROUP)

    def test_few_queries(self, few, twins, owner_client, django_assert_max_num_queries):
        with django_assert_max_num_queries(MAX_QUERIES):
            owner_client.get(url("dataset_groups", few.pk))

    @pytest.mark.parametrize("cursor", ["x", "\0", "1"])
    def test_a_tampered_cursor_is_a_bad_request(self, few, cursor, owner_client):
        assert owner_client.get(url("dataset_groups", few.pk), {"after": cursor}).status_code == 400


class TestSettle:
    def test_keeps_the_chosen_one(self, few, twins, owner_client):
        group, large, small = twins
        response = owner_client.post(url("group_settle", few.pk, group), {"keep": small.pk})
        assert response["Location"] == url("dataset_groups", few.pk)
        assert not few.images.filter(pk=large.pk).exists()
        assert few.images.get(pk=small.pk).likeness_group is None

    def test_keeps_all(self, few, twins, owner_client):
        owner_client.post(url("group_settle", few.pk, twins[0]), {"all": "yes"})
        assert few.images.count() == 6
        assert not few.images.filter(likeness_group__isnull=False).exists()

    @pytest.mark.parametrize("keep", ["", "x", str(uuid.UUID(int=35))])
    def test_one_of_the_group_must_stay(self, few, twins, keep, owner_client):
        response = owner_client.post(url("group_settle", few.pk, twins[0]), {"keep": keep})
        assert response.status_code == 400
        assert few.images.count() == 6

    def test_a_group_is_found_in_its_own_dataset_only(self, few, twins, dataset, owner_client):
        assert owner_client.post(url("group_settle", dataset.pk, twins[0])).status_code == 404

    def test_keeps_one_of_each(self, few, twins, owner_client):
        _group, large, small = twins
        assert b"Remove 1 picture" in owner_client.get(url("dataset_thin", few.pk)).content
        assert few.images.count() == 6
        owner_client.post(url("dataset_thin", few.pk))
        assert few.images.filter(pk=large.pk).exists()
        assert not few.images.filter(pk=small.pk).exists()


def test_a_full_page_takes_few_queries(dataset, owner_client, django_assert_max_num_queries):
    fill(dataset, 80, first=100)
    make_alike(dataset, list(dataset.images.all()[:9]))
    with django_assert_max_num_queries(MAX_QUERIES):
        owner_client.get(url("dataset_detail", dataset.pk))
