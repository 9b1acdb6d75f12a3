"""Files on their way into a dataset: what is taken, what is known already, what became of each."""

import base64
import hashlib
import io

import pytest
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.handlers.wsgi import WSGIRequest
from django.test import Client
from django.urls import reverse

from accounts.receiving import UploadTooLarge, receive_files
from jobs.testing import run_pending
from tests.training import crafted
from training import services
from training.models import UploadedFile
from training.quotas import storage_of
from training.views.uploads import ASKED_AT_ONCE

HTMX = {"HTTP_HX_REQUEST": "true"}


def url(name: str, *args: object) -> str:
    return reverse(f"training:{name}", args=args)


def sent(name: str = "a.png", content: bytes | None = None) -> SimpleUploadedFile:
    return SimpleUploadedFile(name, crafted.png(1) if content is None else content)


class TestAdd:
    def test_many_files_in_one_form(self, empty_dataset, owner_client):
        files = [sent(f"{number}.png", crafted.png(number)) for number in range(3)]
        response = owner_client.post(url("dataset_add", empty_dataset.pk), {"files": files})
        assert response["Location"] == url("dataset_detail", empty_dataset.pk)
        run_pending("light")
        assert empty_dataset.images.count() == 3

    def test_a_file_from_the_script_gets_its_number(self, empty_dataset, owner_client):
        response = owner_client.post(url("dataset_add", empty_dataset.pk), {"files": sent()}, **HTMX)
        assert response.status_code == 201
        assert response.json() == {"file": UploadedFile.objects.get().pk}

    def test_refused_files_are_listed_with_the_reason(self, empty_dataset, owner_client):
        owner_client.post(
            url("dataset_add", empty_dataset.pk), {"files": [sent("text.png", b"hello"), sent("good.png")]}
        )
        run_pending("light")
        page = owner_client.get(url("dataset_detail", empty_dataset.pk)).content.decode()
        assert "1 file was refused" in page
        assert "text.png" in page
        assert "Use JPEG, PNG, WebP, HEIC, AVIF, TIFF or BMP." in page
        assert 'alt="good.png"' in page

    @pytest.mark.parametrize("name", ["<img src=x>.png", "a\0b.png", "x\u202egnp.exe", "y" * 300 + ".png"])
    def test_names_are_harmless(self, empty_dataset, name, owner_client):
        services.add_files(dataset=empty_dataset, arrived=[ContentFile(b"not a picture", name=name)])
        run_pending("light")
        stored = UploadedFile.objects.get().name
        assert len(stored) <= 120
        assert stored.isprintable()
        assert b"<img src=x>" not in owner_client.get(url("dataset_detail", empty_dataset.pk)).content

    def test_no_file_is_said(self, empty_dataset, owner_client):
        response = owner_client.post(url("dataset_add", empty_dataset.pk))
        assert response.status_code == 422
        assert b"Choose at least one file" in response.content

    def test_a_full_dataset_is_said(self, dataset, owner_client, settings):
        settings.TRAINING_LIMITS = {"max_pictures": 50}
        response = owner_client.post(url("dataset_add", dataset.pk), {"files": sent()}, **HTMX)
        assert response.status_code == 413
        assert "is full" in response.json()["problem"]
        assert response.json()["is_full"]
        assert not UploadedFile.objects.exists()

    def test_a_full_account_refuses_the_rest_and_keeps_what_came(
        self, empty_dataset, owner, owner_client, monkeypatch
    ):
        add = url("dataset_add", empty_dataset.pk)
        owner_client.post(add, {"files": sent("first.png", crafted.png(1))}, **HTMX)
        run_pending("light")
        used = storage_of(owner).used
        plan = type("Plan", (), {"storage_bytes": used + 10})
        monkeypatch.setattr("training.quotas.plan_of", lambda user: plan)

        response = owner_client.post(add, {"files": sent("second.png", crafted.png(2))}, **HTMX)

        assert response.status_code == 413
        assert "no room" in response.json()["problem"]
        assert [image.name for image in empty_dataset.images.all()] == ["first.png"]

    def test_too_many_bytes_are_refused_before_they_have_come(self, empty_dataset, owner_client, settings):
        settings.TRAINING_LIMITS = {"max_upload_bytes": 10_000}
        response = owner_client.post(
            url("dataset_add", empty_dataset.pk), {"files": sent("big.png", b"x" * 50_000)}
        )
        assert response.status_code == 413
        assert not UploadedFile.objects.exists()

    def test_bytes_are_counted_whatever_the_length_says(self, rf):
        request = rf.post("/", {"files": sent("big.png", b"x" * 500_000)})
        request.META["CONTENT_LENGTH"] = "1000"
        with pytest.raises(UploadTooLarge):
            receive_files(request, max_bytes=100_000)

    def test_a_part_in_base64_is_counted_as_what_it_decodes_to(self, rf):
        part = base64.b64encode(b"x" * 300_000)
        body = (
            b'--cut\r\nContent-Disposition: form-data; name="files"; filename="big.png"\r\n'
            b"Content-Transfer-Encoding: base64\r\n\r\n" + part + b"\r\n--cut--\r\n"
        )
        request = rf.generic("POST", "/", body, content_type="multipart/form-data; boundary=cut")
        request.META["CONTENT_LENGTH"] = "1000"
        with pytest.raises(UploadTooLarge):
            receive_files(request, max_bytes=100_000)

    def test_a_connection_that_is_cut_leaves_nothing_and_another_try_works(self, rf):
        whole = rf.post("/", {"files": sent("a.png", b"x" * 200_000)}).environ
        body = whole["wsgi.input"].read()
        for arrived, count in ((body[:100_000], 0), (body, 1)):
            request = WSGIRequest({**whole, "wsgi.input": io.BytesIO(arrived)})
            files = receive_files(request, max_bytes=1 << 20)
            assert len(files) == count
            for file in files:
                file.close()

    def test_too_many_files_in_one_form(self, empty_dataset, owner_client, settings):
        settings.DATA_UPLOAD_MAX_NUMBER_FILES = 2
        files = [sent(f"{number}.png", crafted.png(number)) for number in range(3)]
        response = owner_client.post(url("dataset_add", empty_dataset.pk), {"files": files})
        assert response.status_code == 400
        assert b"at most 2 files" in response.content

    def test_needs_the_forms_token(self, empty_dataset, owner):
        strict = Client(enforce_csrf_checks=True)
        strict.force_login(owner)
        response = strict.post(url("dataset_add", empty_dataset.pk), {"files": sent()})
        assert response.status_code == 403
        assert not UploadedFile.objects.exists()


class TestKnown:
    def test_names_the_files_that_need_not_be_sent(self, empty_dataset, owner_client):
        services.add_files(dataset=empty_dataset, arrived=[ContentFile(crafted.png(1), name="a.png")])
        run_pending("light")
        here, other = (hashlib.sha256(crafted.png(seed)).hexdigest() for seed in (1, 2))
        asked = {"sha256": [here, other, "nonsense", "a\0"]}
        response = owner_client.post(url("dataset_known", empty_dataset.pk), asked)
        assert response.json() == {"known": [here]}

    def test_other_datasets_are_not_looked_into(self, dataset, empty_dataset, owner_client):
        asked = {"sha256": dataset.images.first().upload_sha256}
        assert owner_client.post(url("dataset_known", empty_dataset.pk), asked).json() == {"known": []}

    def test_too_many_at_once(self, empty_dataset, owner_client):
        asked = {"sha256": ["0" * 64] * (ASKED_AT_ONCE + 1)}
        assert owner_client.post(url("dataset_known", empty_dataset.pk), asked).status_code == 400

    def test_is_the_owners(self, empty_dataset, stranger_client, client, owner_client):
        address = url("dataset_known", empty_dataset.pk)
        assert stranger_client.post(address).status_code == 404
        assert client.post(address).status_code == 302
        assert owner_client.get(address).status_code == 405


class TestResults:
    def test_each_file_has_its_own(self, empty_dataset, owner_client):
        members = {"one.png": crafted.png(1), "bad.png": b"no picture"}
        rows = services.add_files(
            dataset=empty_dataset,
            arrived=[
                ContentFile(crafted.zipped(members), name="all.zip"),
                ContentFile(crafted.png(1), name="again.png"),
                ContentFile(b"hello", name="text.png"),
            ],
        )
        address = url("dataset_files", empty_dataset.pk)
        asked = {"file": [row.pk for row in rows]}
        assert owner_client.get(address, asked).json() == {"results": {}}
        run_pending("light")

        results = owner_client.get(address, asked).json()["results"]

        archive, again, text = (results[str(row.pk)] for row in rows)
        assert archive["label"] == "1 picture added, 1 refused"
        assert again == {"state": "duplicate", "label": "Already here", "reason": ""}
        assert text["state"] == "refused"
        assert "Use JPEG, PNG" in text["reason"]

    @pytest.mark.parametrize("number", ["x", "-1", ""])
    def test_tampered_numbers(self, empty_dataset, number, owner_client):
        assert owner_client.get(url("dataset_files", empty_dataset.pk), {"file": number}).status_code == 400

    def test_files_of_others_are_missing(self, make_dataset, owner, stranger, owner_client, stranger_client):
        mine, theirs = make_dataset(owner), make_dataset(stranger)
        (row,) = services.add_files(dataset=theirs, arrived=[ContentFile(b"x", name="a.png")])
        run_pending("light")
        asked = {"file": row.pk}
        assert owner_client.get(url("dataset_files", mine.pk), asked).json() == {"results": {}}
        assert owner_client.get(url("dataset_files", theirs.pk), asked).status_code == 404
