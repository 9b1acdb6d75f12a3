"""Pages of captions: the owner, a stranger, nobody, the wrong method."""

import csv
import io
import json
import uuid
import zipfile

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from training.exports import pictures_in_order
from training.models import Dataset, DatasetImage, Purpose
from training.selectors.captions import CAPTIONS_PER_PAGE

HTMX = {"HTTP_HX_REQUEST": "true"}
MAX_QUERIES = 15
CHANGES = {"scope": "all", "action": "replace", "find": "cat", "replace": "dog"}


def url(name: str, *args: object) -> str:
    return reverse(f"training:{name}", args=args)


def sent(name: str, content: bytes) -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content)


@pytest.fixture
def taught(make_dataset, owner) -> Dataset:
    """Three pictures of a character; the last has no caption."""
    dataset = make_dataset(owner, 3, name="Mimo")
    dataset.purpose, dataset.keyword, dataset.subject = Purpose.CHARACTER, "mimochi", "cat"
    dataset.save()
    texts = ("mimochi cat on a roof", "mimochi cat at night", "")
    for number, (image, caption) in enumerate(zip(dataset.images.order_by("pk"), texts, strict=True)):
        image.name, image.caption = f"{number}.jpg", caption
        image.save()
    return dataset


def caption(dataset: Dataset, name: str = "0.jpg") -> str:
    return dataset.images.get(name=name).caption


class TestAccess:
    PAGES = ("dataset_captions", "dataset_export", "dataset_caption_export")
    ACTIONS = ("dataset_caption_words", "dataset_caption_change", "dataset_caption_import", "image_caption")

    def address(self, name: str, dataset: Dataset) -> str:
        more = {"image_caption": [dataset.images.first().pk]}
        layout = ["csv"] if name.endswith("export") else []
        return url(name, dataset.pk, *more.get(name, []), *layout)

    @pytest.mark.parametrize("name", PAGES)
    def test_pages_are_their_owners(self, name, taught, owner_client, stranger_client, client):
        address = self.address(name, taught)
        assert owner_client.get(address).status_code == 200
        assert owner_client.post(address).status_code == 405
        assert stranger_client.get(address).status_code == 404
        assert client.get(address).status_code == 302

    @pytest.mark.parametrize("name", ACTIONS)
    def test_actions_are_their_owners(self, name, taught, owner_client, stranger_client, client):
        address = self.address(name, taught)
        data = {**CHANGES, "confirmed": "yes", "keyword": "x", "caption": "x", "files": sent("0.txt", b"x")}
        assert stranger_client.post(address, data).status_code == 404
        assert client.post(address, data).status_code == 302
        assert owner_client.get(address).status_code == 405
        assert caption(taught) == "mimochi cat on a roof"

    def test_a_picture_is_found_in_its_own_dataset_only(self, taught, make_dataset, owner, owner_client):
        other = make_dataset(owner, 1)
        address = url("image_caption", taught.pk, other.images.get().pk)
        assert owner_client.post(address, {"caption": "x"}).status_code == 404


class TestTable:
    def test_shows_captions_as_text(self, taught, owner_client):
        taught.images.filter(name="1.jpg").update(caption="</textarea><script>1</script>{{7*7}}")
        page = owner_client.get(url("dataset_captions", taught.pk)).content.decode()
        assert "mimochi cat on a roof" in page
        assert "<script>1" not in page
        assert "{{7*7}}" in page
        assert "photo of mimochi cat" in page  # what an empty one stands for

    def test_only_those_that_are_missing(self, taught, owner_client):
        page = owner_client.get(url("dataset_captions", taught.pk), {"show": "empty"}).content.decode()
        assert page.count("data-caption ") == 1
        assert "2.jpg" in page

    def test_goes_on_where_it_ended(self, make_dataset, owner, owner_client, django_assert_max_num_queries):
        dataset = make_dataset(owner, CAPTIONS_PER_PAGE + 2)
        with django_assert_max_num_queries(MAX_QUERIES):
            first = owner_client.get(url("dataset_captions", dataset.pk))
        cursor = first.context["page"].next_cursor
        rest = owner_client.get(url("dataset_captions", dataset.pk), {"after": cursor}, **HTMX)
        assert b"<html" not in rest.content
        shown = [image.pk for page in (first, rest) for image in page.context["page"].pictures]
        assert len(set(shown)) == len(shown) == CAPTIONS_PER_PAGE + 2
        assert rest.context["page"].next_cursor == ""

    @pytest.mark.parametrize("cursor", ["x", "2020-01-01_x", f"2020-01-01T00:00:00_{uuid.UUID(int=35)}"])
    def test_a_tampered_cursor_is_a_bad_request(self, cursor, taught, owner_client):
        address = url("dataset_captions", taught.pk)
        assert owner_client.get(address, {"after": cursor}).status_code == 400

    def test_says_what_to_do_without_pictures_and_without_use(self, make_dataset, owner, owner_client):
        page = owner_client.get(url("dataset_captions", make_dataset(owner).pk)).content
        assert b"Nothing to caption yet" in page
        page = owner_client.get(url("dataset_captions", make_dataset(owner, 1).pk)).content
        assert b"learn from pictures alone" in page


class TestSaving:
    def save(self, client, dataset, text, **extra):
        image = dataset.images.get(name="0.jpg")
        return client.post(url("image_caption", dataset.pk, image.pk), {"caption": text}, **extra)

    def test_in_place(self, taught, owner_client):
        response = self.save(owner_client, taught, "a cat <b>asleep</b>", **HTMX)
        assert response.status_code == 200
        assert caption(taught) == "mimochi cat <b>asleep</b>"
        page = response.content.decode()
        assert "mimochi cat &lt;b&gt;asleep" in page
        assert "Saved" in page
        assert 'id="missing"' in page

    def test_without_the_script(self, taught, owner_client):
        response = self.save(owner_client, taught, "a cat")
        assert response.status_code == 302
        assert response["Location"].startswith(url("dataset_captions", taught.pk))

    @pytest.mark.parametrize("extra", [HTMX, {}])
    def test_one_that_is_too_long_stays_to_be_mended(self, extra, taught, owner_client):
        for length in (2001, 9000, 1 << 20):
            response = self.save(owner_client, taught, "x" * length, **extra)
            assert response.status_code == 422
            assert b"errorlist" in response.content
            assert b"xxx" in response.content
        assert caption(taught) == "mimochi cat on a roof"


class TestWords:
    def test_bring_the_captions_after_them(self, taught, owner_client):
        data = {"keyword": "zorblat", "subject": "cat"}
        response = owner_client.post(url("dataset_caption_words", taught.pk), data, follow=True)
        assert "2 captions were changed." in response.content.decode()
        assert caption(taught) == "zorblat cat on a roof"

    @pytest.mark.parametrize("keyword", ["two words", "<b>", "x" * 41, "{x}"])
    def test_a_bad_keyword_says_why(self, keyword, taught, owner_client):
        data = {"keyword": keyword, "subject": "cat"}
        response = owner_client.post(url("dataset_caption_words", taught.pk), data)
        assert response.status_code == 422
        assert b"errorlist" in response.content
        assert caption(taught) == "mimochi cat on a roof"

    def test_other_fields_are_ignored(self, taught, stranger, owner_client):
        data = {"keyword": "new", "subject": "", "owner": stranger.pk, "name": "stolen"}
        owner_client.post(url("dataset_caption_words", taught.pk), data)
        taught.refresh_from_db()
        assert (taught.owner == stranger, taught.name, taught.keyword) == (False, "Mimo", "new")


class TestChanging:
    def test_shows_first_and_then_does_it(self, taught, owner_client):
        address = url("dataset_caption_change", taught.pk)
        page = owner_client.post(address, CHANGES)
        assert "2 captions will change" in page.content.decode()
        assert "mimochi dog on a roof" in page.content.decode()
        assert caption(taught) == "mimochi cat on a roof"
        done = owner_client.post(address, {**CHANGES, "confirmed": "yes"}, follow=True)
        assert "2 captions were changed." in done.content.decode()
        assert caption(taught) == "mimochi dog on a roof"

    def test_the_form_that_asks_carries_everything(self, taught, owner_client):
        image = taught.images.get(name="0.jpg")
        asked = {**CHANGES, "scope": "ticked", "pictures": [image.pk], "whole_words": "on", "find": " cat "}
        page = owner_client.post(url("dataset_caption_change", taught.pk), asked)
        form = page.context["form"]
        assert [str(pk) for pk in page.context["only"]] == [str(image.pk)]
        for name in ("action", "scope", "find", "replace"):
            assert f'name="{name}" value="{form[name].value()}"' in page.content.decode()
        assert 'name="whole_words"' in page.content.decode()

    @pytest.mark.parametrize(
        ("data", "expected"),
        [
            ({"action": "template", "template": "photo of {keyword} {class}"}, "photo of mimochi cat"),
            ({"action": "add", "after": ", dusk"}, "mimochi cat on a roof, dusk"),
            ({"action": "clear"}, ""),
        ],
    )
    def test_each_kind(self, data, expected, taught, owner_client):
        data = {"scope": "all", "confirmed": "yes", **data}
        assert owner_client.post(url("dataset_caption_change", taught.pk), data).status_code == 302
        assert caption(taught) == expected

    @pytest.mark.parametrize(
        ("data", "sentence"),
        [
            ({"action": "replace"}, "Type what is to be found."),
            ({"action": "add"}, "Type what is to be added"),
            ({"action": "template", "template": "a {colour}"}, "There is no {colour}."),
            ({"action": "template", "template": ""}, "Type a template."),
            ({"action": "clear", "scope": "ticked"}, "Tick the pictures first"),
            ({"action": "add", "before": "y" * 200, "scope": "nowhere"}, "nowhere"),
            ({"action": "wrong"}, "errorlist"),
        ],
    )
    def test_what_is_missing_is_said(self, data, sentence, taught, owner_client):
        data = {"scope": "all", "confirmed": "yes", **data}
        response = owner_client.post(url("dataset_caption_change", taught.pk), data)
        assert response.status_code == 422
        assert sentence in response.content.decode()
        assert caption(taught) == "mimochi cat on a roof"

    def test_one_that_makes_a_caption_too_long_does_nothing(self, taught, owner_client):
        taught.images.filter(name="1.jpg").update(caption="mimochi " + "x" * 1980)
        data = {"scope": "all", "action": "add", "before": "y" * 100, "confirmed": "yes"}
        response = owner_client.post(url("dataset_caption_change", taught.pk), data)
        assert response.status_code == 422
        assert "Shorten it" in response.content.decode()
        assert caption(taught) == "mimochi cat on a roof"

    def test_captions_can_follow_a_changed_purpose(self, taught, owner_client):
        taught.images.filter(name="0.jpg").update(caption="photo of mimochi cat")
        changed = {"name": taught.name, "purpose": "style"}
        response = owner_client.post(url("dataset_edit", taught.pk), changed, follow=True)
        assert response.redirect_chain[0][0] == url("dataset_captions", taught.pk) + "?was=character"
        assert b"1 caption is still as it was written for the purpose before." in response.content

        follow = {"scope": "all", "action": "follow", "was": "character"}
        preview = owner_client.post(url("dataset_caption_change", taught.pk), follow)
        assert b"1 caption will change" in preview.content
        assert b'name="was" value="character"' in preview.content
        assert caption(taught) == "photo of mimochi cat"
        owner_client.post(url("dataset_caption_change", taught.pk), follow | {"confirmed": "yes"})
        assert caption(taught) == "cat in the style of mimochi"
        assert caption(taught, "1.jpg") == "mimochi cat at night"

    @pytest.mark.parametrize("was", ["", "character", "nonsense"])
    def test_nothing_is_offered_where_nothing_follows(self, was, taught, owner_client):
        page = owner_client.get(url("dataset_captions", taught.pk), {"was": was})
        assert page.status_code == 200
        assert page.context["following"] == 0

    def test_foreign_pictures_and_garbage_are_404(self, taught, make_dataset, stranger, owner_client):
        foreign = make_dataset(stranger, 1).images.get()
        for pictures in ([taught.images.first().pk, foreign.pk], ["x"], [""]):
            data = {**CHANGES, "scope": "ticked", "confirmed": "yes", "pictures": pictures}
            assert owner_client.post(url("dataset_caption_change", taught.pk), data).status_code == 404
        assert not DatasetImage.objects.filter(caption__contains="dog").exists()


class TestImport:
    def send(self, client, dataset, *files):
        return client.post(url("dataset_caption_import", dataset.pk), {"files": list(files)})

    def test_takes_what_it_can_and_tells_the_rest_row_by_row(self, taught, owner_client):
        response = self.send(
            owner_client,
            taught,
            sent("0.txt", b"a cat asleep"),
            sent("metadata.csv", b"file_name,text\n1.jpg,a cat awake\nlost.jpg,x\n"),
            sent("picture.png", b"\x89PNG"),
        )
        page = response.content.decode()
        assert "2 captions were taken" in page
        assert "metadata.csv, line 3" in page
        assert "No picture here is called lost.jpg." in page
        assert "This is no file of captions." in page
        assert (caption(taught), caption(taught, "1.jpg")) == ("mimochi cat asleep", "mimochi cat awake")

    def test_nothing_chosen(self, taught, owner_client):
        assert self.send(owner_client, taught).status_code == 422

    def test_too_much_and_too_many(self, taught, owner_client, settings, monkeypatch):
        monkeypatch.setattr("training.views.captions.MAX_METADATA_BYTES", 1000)
        assert self.send(owner_client, taught, sent("0.txt", b"x" * 2000)).status_code == 413
        monkeypatch.undo()
        settings.DATA_UPLOAD_MAX_NUMBER_FILES = 2
        response = self.send(owner_client, taught, *(sent(f"{n}.txt", b"x") for n in range(3)))
        assert response.status_code == 400
        assert "at most 2 files" in response.content.decode()

    def test_needs_the_forms_token(self, taught, owner):
        from django.test import Client

        client = Client(enforce_csrf_checks=True)
        client.force_login(owner)
        assert self.send(client, taught, sent("0.txt", b"x")).status_code == 403
        assert caption(taught) == "mimochi cat on a roof"


class TestExport:
    def body(self, client, name, dataset, layout) -> bytes:
        return client.get(url(name, dataset.pk, layout)).getvalue()

    def files(self, client, name, dataset, layout) -> dict[str, bytes]:
        with zipfile.ZipFile(io.BytesIO(self.body(client, name, dataset, layout))) as archive:
            assert archive.testzip() is None
            return {name: archive.read(name) for name in archive.namelist()}

    def test_text_files_lie_beside_their_pictures(self, taught, owner_client):
        found = self.files(owner_client, "dataset_export", taught, "txt")
        assert set(found) == {"README.md", "0.png", "0.txt", "1.png", "1.txt", "2.png"}
        assert found["0.txt"] == b"mimochi cat on a roof"
        assert found["0.png"].startswith(b"\x89PNG")
        assert set(self.files(owner_client, "dataset_caption_export", taught, "txt")) == {"0.txt", "1.txt"}

    def test_few_queries_and_some_pictures_at_a_time(self, taught, monkeypatch, django_assert_num_queries):
        monkeypatch.setattr("training.exports._AT_ONCE", 2)
        with django_assert_num_queries(3):
            assert [image.caption for image in pictures_in_order(taught)].count("") == 1

    def test_metadata_names_every_picture(self, taught, owner_client):
        found = self.files(owner_client, "dataset_export", taught, "jsonl")
        rows = [json.loads(line) for line in found["metadata.jsonl"].splitlines()]
        assert {row["file_name"] for row in rows} == set(found) - {"README.md", "metadata.jsonl"}
        assert {row["text"] for row in rows} == {"mimochi cat on a roof", "mimochi cat at night", ""}
        assert self.body(owner_client, "dataset_caption_export", taught, "jsonl") == found["metadata.jsonl"]
        table = self.body(owner_client, "dataset_caption_export", taught, "csv").decode("utf-8-sig")
        assert len(list(csv.DictReader(io.StringIO(table)))) == 3
        assert "metadata.csv" in self.files(owner_client, "dataset_export", taught, "csv")

    def test_the_note_tells_whose_the_pictures_are(self, taught, owner_client):
        Dataset.objects.update(source_note="My balcony", licence="cc0-1.0")
        note = self.files(owner_client, "dataset_export", taught, "txt")["README.md"].decode()
        assert note.startswith('---\nlicense: cc0-1.0\npretty_name: "Mimo"\n---\n')
        assert "My balcony" in note

    def test_a_lost_picture_is_left_out(self, taught, owner_client):
        from django.core.files.storage import default_storage

        default_storage.delete(taught.images.get(name="0.jpg").file)
        found = self.files(owner_client, "dataset_export", taught, "jsonl")
        assert "0.png" not in found
        assert len(found["metadata.jsonl"].splitlines()) == 2

    @pytest.mark.parametrize("layout", ["txt", "jsonl", "csv"])
    def test_what_goes_out_comes_back(self, layout, taught, owner_client):
        awkward = {
            "0.jpg": '=mimochi, "a"\n猫 mimochi',
            "1.jpg": "'+mimochi;\u2028x",
            "2.jpg": "mimochi\\ {x}",
        }
        for name, text in awkward.items():
            taught.images.filter(name=name).update(caption=text)
        if layout == "txt":
            files = self.files(owner_client, "dataset_caption_export", taught, layout)
            arriving = [sent(name, content) for name, content in files.items()]
        else:
            body = self.body(owner_client, "dataset_caption_export", taught, layout)
            arriving = [sent(f"metadata.{layout}", body)]
        taught.images.update(caption="")
        response = owner_client.post(url("dataset_caption_import", taught.pk), {"files": arriving})
        assert "3 captions were taken" in response.content.decode()
        assert {image.name: image.caption for image in taught.images.all()} == awkward

    def test_an_unknown_layout_is_no_address(self, taught, owner_client):
        assert owner_client.get(f"/datasets/{taught.pk}/export/exe/").status_code == 404
