"""Pages on which one chooses how pictures are cut: the owner, a stranger, nobody, tampered forms."""

import io
import re
import uuid

import pytest
from django.urls import reverse
from PIL import Image

from engines.crops import RANDOM_CROPS
from tests.training.conftest import add_picture, fill
from training import services
from training.models import DatasetImage
from training.selectors import PICTURES_PER_PAGE

HTMX = {"HTTP_HX_REQUEST": "true"}
MAX_QUERIES = 15


def url(name: str, *args: object) -> str:
    return reverse(f"training:{name}", args=args)


@pytest.fixture
def wide(empty_dataset) -> DatasetImage:
    return add_picture(empty_dataset, 1, width=200, height=100)


@pytest.fixture
def tall(empty_dataset) -> DatasetImage:
    return add_picture(empty_dataset, 2, width=90, height=250)


@pytest.fixture
def page(wide, tall) -> str:
    return url("dataset_crop", wide.dataset_id)


@pytest.fixture
def editor(wide, tall) -> str:
    """The page of the older of two pictures: the newer one stands before it."""
    return url("image_crop", wide.dataset_id, wide.pk)


def by_hand(left: object = 10, upper: object = 5, side: object = 80, **others: str) -> dict[str, object]:
    return {"crop": "hand", "left": left, "upper": upper, "side": side, **others}


class TestAllPictures:
    def test_it_shows_a_wide_and_a_tall_picture_before_and_after(self, page, wide, tall, owner_client):
        text = owner_client.get(page).content.decode()
        assert "The widest" in text
        assert "The tallest" in text
        assert "100 × 100 pixels become 64 × 64." in text
        assert "M50 0H150V100H50Z" in text

    def test_the_preview_follows_the_choice_and_saves_nothing(self, page, empty_dataset, owner_client):
        chosen = {"crop": "letterbox", "resolution": 128}
        text = owner_client.get(page, chosen, **HTMX).content.decode()
        assert "<html" not in text
        assert "200 × 200 pixels become 128 × 128." in text
        assert "crop=letterbox&amp;resolution=128" in text
        empty_dataset.refresh_from_db()
        assert empty_dataset.crop == "center"

    def test_several_squares_are_said_with_their_sizes(self, page, owner_client):
        text = owner_client.get(page, {"crop": "random"}, **HTMX).content.decode()
        assert re.search(r"Squares of \d\d to \d\d pixels become 64 × 64\.", text)

    def test_too_few_pixels_are_said(self, page, owner_client):
        text = owner_client.get(page, {"crop": "center", "resolution": 256}, **HTMX).content.decode()
        assert "100 × 100 pixels are enlarged to 256 × 256, which looks soft." in text

    def test_the_choice_is_kept(self, page, empty_dataset, owner_client):
        response = owner_client.post(page, {"crop": "random", "resolution": 128})
        assert response["Location"] == f"{page}?resolution=128"
        empty_dataset.refresh_from_db()
        assert empty_dataset.crop == "random"
        assert 'value="random" checked' in owner_client.get(page).content.decode()

    def test_a_new_experiment_proposes_it(self, dataset, owner, owner_client):
        services.choose_crop(dataset=dataset, crop="squeeze")
        draft = services.create_draft(owner=owner, dataset=dataset)
        text = owner_client.get(url("draft_setup", draft.pk)).content.decode()
        assert 'name="crop" value="squeeze" checked' in text

    @pytest.mark.parametrize("chosen", [{"crop": "sideways"}, {"crop": "random", "resolution": "10000"}])
    def test_a_tampered_choice_changes_nothing(self, chosen, page, empty_dataset, owner_client):
        assert owner_client.post(page, chosen).status_code == 422
        assert owner_client.get(page, chosen).status_code == 422
        assert owner_client.get(page, chosen, **HTMX).status_code == 422
        empty_dataset.refresh_from_db()
        assert empty_dataset.crop == "center"

    def test_a_tampered_cursor_is_a_bad_request(self, page, owner_client):
        assert owner_client.get(page, {"after": "nonsense"}).status_code == 400

    def test_pages_follow_each_other(self, empty_dataset, owner_client):
        fill(empty_dataset, PICTURES_PER_PAGE + 3)
        address = url("dataset_crop", empty_dataset.pk)
        page = owner_client.get(address).context["page"]
        assert len(page.pictures) == PICTURES_PER_PAGE
        response = owner_client.get(address, {"after": page.next_cursor}, **HTMX)
        assert response.content.decode().count('class="tile whole"') == 3

    def test_only_those_with_a_crop_of_their_own(self, page, wide, tall, owner_client):
        assert b"No picture has a crop of its own." in owner_client.get(page).content
        services.cut_picture(image=wide, crop="squeeze", box=None)
        assert b"Show the 1 picture that has a crop of its own" in owner_client.get(page).content
        filtered = owner_client.get(page, {"show": "own-crop"})
        assert filtered.context["page"].pictures == [wide]
        listed = owner_client.get(url("dataset_detail", wide.dataset_id), {"show": "own-crop"})
        assert listed.context["page"].pictures == [wide]
        assert b'?show=own-crop" aria-current="true"' in listed.content

    def test_it_asks_the_database_little(self, dataset, owner_client, django_assert_max_num_queries):
        with django_assert_max_num_queries(MAX_QUERIES):
            owner_client.get(url("dataset_crop", dataset.pk))

    def test_an_empty_dataset_says_what_to_do(self, empty_dataset, owner_client):
        assert (
            "Nothing to cut yet" in owner_client.get(url("dataset_crop", empty_dataset.pk)).content.decode()
        )


class TestSomePictures:
    @pytest.fixture
    def action(self, page, wide) -> str:
        return url("dataset_crop_pictures", wide.dataset_id)

    def test_they_are_cut_another_way_and_shown_anew(self, action, wide, tall, owner_client):
        response = owner_client.post(action, {"pictures": [wide.pk], "crop": "squeeze"}, **HTMX)
        text = response.content.decode()
        assert f'id="picture-{wide.pk}" hx-swap-oob="true"' in text
        assert str(tall.pk) not in text
        assert "Show the 1 picture that has a crop of its own" in text
        wide.refresh_from_db()
        assert wide.crop == "squeeze"

    def test_the_script_sends_them_in_one_field(self, action, wide, tall, owner_client):
        owner_client.post(action, {"pictures": f"{wide.pk},{tall.pk}", "crop": "random"}, **HTMX)
        assert set(wide.dataset.images.values_list("crop", flat=True)) == {"random"}

    def test_without_a_script_the_page_comes_again(self, action, page, wide, owner_client):
        services.cut_picture(image=wide, box=(0, 0, 80, 80))
        response = owner_client.post(action, {"pictures": [wide.pk], "crop": ""}, follow=True)
        assert response.redirect_chain == [(page, 302)]
        assert "1 picture is cut anew." in response.content.decode()
        wide.refresh_from_db()
        assert wide.box is None

    @pytest.mark.parametrize("chosen", [{}, {"crop": "sideways"}])
    def test_nothing_selected_and_no_such_way_are_said(self, chosen, action, wide, owner_client):
        pictures = [wide.pk] if chosen else []
        text = owner_client.post(action, {"pictures": pictures, **chosen}, **HTMX).content.decode()
        assert 'data-level="error"' in text
        wide.refresh_from_db()
        assert wide.crop == ""

    def test_a_foreign_picture_among_them_is_not_found(self, action, wide, dataset, owner_client):
        foreign = dataset.images.first().pk
        for pictures in ([wide.pk, foreign], [wide.pk, uuid.uuid4()], [wide.pk, "nonsense"]):
            response = owner_client.post(action, {"pictures": pictures, "crop": "squeeze"})
            assert response.status_code == 404
        wide.refresh_from_db()
        assert wide.crop == ""


class TestOnePicture:
    def test_the_box_begins_with_what_is_cut_now(self, editor, owner_client):
        text = owner_client.get(editor).content.decode()
        for name, value in (("left", 50), ("upper", 0), ("side", 100)):
            assert f'name="{name}" value="{value}"' in text
        assert "As all pictures are: Center" in text

    def test_a_box_is_shown_before_it_is_kept(self, editor, wide, owner_client):
        text = owner_client.get(editor, by_hand(), **HTMX).content.decode()
        assert "80 × 80 pixels become 64 × 64." in text
        assert "crop=hand&amp;left=10&amp;upper=5&amp;side=80&amp;resolution=64" in text
        wide.refresh_from_db()
        assert wide.box is None

    def test_a_box_is_kept_and_the_next_picture_follows(self, wide, tall, editor, page, owner_client):
        newest = url("image_crop", tall.dataset_id, tall.pk)
        response = owner_client.post(newest, by_hand(0, 100, 90, next="yes"))
        assert response["Location"] == editor
        tall.refresh_from_db()
        assert tall.box == [0, 100, 90, 190]
        # The oldest is the last one: there is no next.
        assert owner_client.post(editor, by_hand(next="yes"))["Location"] == page
        wide.refresh_from_db()
        assert wide.box == [10, 5, 90, 85]

    def test_a_crop_takes_the_box_away_and_following_takes_both(self, editor, wide, owner_client):
        services.cut_picture(image=wide, box=(0, 0, 80, 80))
        owner_client.post(editor, by_hand() | {"crop": "letterbox"})
        wide.refresh_from_db()
        assert (wide.crop, wide.box) == ("letterbox", None)
        owner_client.post(editor, by_hand() | {"crop": ""})
        wide.refresh_from_db()
        assert (wide.crop, wide.box) == ("", None)

    @pytest.mark.parametrize(
        "tampered",
        [
            by_hand(left=121),
            by_hand(left=-1),
            by_hand(upper=21),
            by_hand(side=101),
            by_hand(side=63),
            by_hand(side=10**30),
            by_hand(left=""),
            by_hand(side="wide"),
            by_hand() | {"crop": "sideways"},
        ],
    )
    def test_a_tampered_box_is_refused(self, tampered, editor, wide, owner_client):
        assert owner_client.post(editor, tampered).status_code == 422
        assert owner_client.get(editor, tampered, **HTMX).status_code == 422
        assert owner_client.get(url("image_cut", wide.dataset_id, wide.pk), tampered).status_code == 422
        wide.refresh_from_db()
        assert (wide.crop, wide.box) == ("", None)


class TestSquares:
    def test_they_stand_side_by_side_and_may_be_kept(self, wide, owner_client):
        address = url("image_cut", wide.dataset_id, wide.pk)
        response = owner_client.get(address, {"crop": "random", "resolution": 128})
        assert response["Content-Type"] == "image/png"
        assert response["X-Content-Type-Options"] == "nosniff"
        assert response["Content-Security-Policy"] == "sandbox"
        assert "immutable" in response["Cache-Control"]
        assert Image.open(io.BytesIO(response.content)).size == (RANDOM_CROPS * 128, 128)

    def test_as_things_stand_they_are_not_kept(self, wide, owner_client):
        services.cut_picture(image=wide, crop="random")
        response = owner_client.get(url("image_cut", wide.dataset_id, wide.pk))
        assert "no-store" in response["Cache-Control"]
        assert Image.open(io.BytesIO(response.content)).size == (RANDOM_CROPS * 64, 64)


class TestAccess:
    @pytest.fixture(params=["dataset_crop", "dataset_crop_pictures", "image_crop", "image_cut"])
    def address(self, request, wide) -> str:
        of_picture = [wide.pk] if request.param.startswith("image") else []
        return url(request.param, wide.dataset_id, *of_picture)

    def test_a_stranger_finds_nothing_and_changes_nothing(self, address, wide, stranger_client):
        assert stranger_client.get(address).status_code in (404, 405)
        chosen = {"pictures": [wide.pk], **by_hand(), "crop": "squeeze"}
        assert stranger_client.post(address, chosen).status_code in (404, 405)
        wide.refresh_from_db()
        assert wide.crop == wide.dataset.crop.replace("center", "")

    def test_nobody_is_sent_to_sign_in(self, address, client):
        assert client.get(address).status_code in (302, 405)

    def test_a_picture_is_found_in_its_own_dataset_only(self, wide, dataset, owner_client):
        for name in ("image_crop", "image_cut"):
            assert owner_client.get(url(name, dataset.pk, wide.pk)).status_code == 404
