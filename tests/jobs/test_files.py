"""Files of attempts in the storage."""

import pytest
from django.core.files.storage import default_storage

from jobs.files import attempt_prefix, delete_folder, fetch_folder, list_keys, store_file, store_folder

pytestmark = pytest.mark.django_db


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "snapshot"
    (folder / "weights").mkdir(parents=True)
    (folder / "model.json").write_text("{}")
    (folder / "weights" / "g.bin").write_bytes(b"\0" * 100)
    return folder


def test_a_folder_comes_back(folder, tmp_path, submit, claim):
    submit("count")
    prefix = attempt_prefix(claim())

    keys = store_folder(folder, prefix)

    assert prefix.endswith("/1/")
    assert keys == [f"{prefix}model.json", f"{prefix}weights/g.bin"] == list_keys(prefix)
    fetched = fetch_folder(prefix, tmp_path / "fetched")
    assert [path.relative_to(tmp_path / "fetched").as_posix() for path in fetched] == [
        "model.json",
        "weights/g.bin",
    ]
    assert (tmp_path / "fetched" / "weights" / "g.bin").read_bytes() == b"\0" * 100


def test_attempts_keep_apart(submit):
    job = submit("count")

    assert attempt_prefix(job, 1) != attempt_prefix(job, 2)


def test_storing_again_replaces(folder):
    store_file(folder / "model.json", "somewhere/model.json")
    (folder / "model.json").write_text("newer")

    store_file(folder / "model.json", "somewhere/model.json")

    with default_storage.open("somewhere/model.json") as stored:
        assert stored.read() == b"newer"
    assert list_keys("somewhere") == ["somewhere/model.json"]


def test_delete_folder(folder):
    store_folder(folder, "somewhere")

    delete_folder("somewhere")

    assert list_keys("somewhere") == []


def test_nothing_there(tmp_path):
    assert list_keys("nowhere/") == []
    assert fetch_folder("nowhere/", tmp_path / "fetched") == []
