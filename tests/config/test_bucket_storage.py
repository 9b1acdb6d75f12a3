"""A bucket behaves as a directory does."""

import urllib.request

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage, storages

from config import environment
from jobs.files import delete_folder, fetch_folder, list_keys, store_file, store_folder

pytestmark = pytest.mark.usefixtures("bucket")


def test_what_is_stored_is_read_and_never_overwritten():
    key = default_storage.save("a/b.txt", ContentFile(b"first"))
    other = default_storage.save("a/b.txt", ContentFile(b"second"))

    with default_storage.open(key) as stored:
        assert stored.read() == b"first"
    assert (key, default_storage.size(key)) == ("a/b.txt", 5)
    assert other != key


def test_what_is_not_there():
    assert not default_storage.exists("none")
    default_storage.delete("none")
    assert default_storage.listdir("none") == ([], [])
    for ask in (default_storage.open, default_storage.size, default_storage.get_modified_time):
        with pytest.raises(FileNotFoundError):
            ask("none")


def test_a_bucket_that_is_away(settings):
    options = settings.STORAGES["default"]["OPTIONS"] | {"endpoint_url": "http://127.0.0.1:9"}
    settings.STORAGES = settings.STORAGES | {"default": settings.STORAGES["default"] | {"OPTIONS": options}}

    with pytest.raises(OSError, match="did not answer"):
        storages["default"].exists("a")


def test_folders_go_there_and_back(tmp_path):
    folder = tmp_path / "folder"
    (folder / "weights").mkdir(parents=True)
    (folder / "model.json").write_text("{}")
    (folder / "weights" / "g.bin").write_bytes(b"1" * 3000)

    keys = store_folder(folder, "jobs/1/1")
    assert keys == ["jobs/1/1/model.json", "jobs/1/1/weights/g.bin"] == list_keys("jobs/1")
    (folder / "model.json").write_text("[]")
    store_file(folder / "model.json", keys[0])
    fetched = fetch_folder("jobs/1/1", tmp_path / "fetched")

    assert [path.read_bytes() for path in fetched] == [b"[]", b"1" * 3000]
    delete_folder("jobs/1")
    assert list_keys("jobs") == []


def test_more_keys_than_one_answer_holds():
    for number in range(1003):
        default_storage.connection.meta.client.put_object(
            Bucket=default_storage.bucket_name, Key=f"many/{number:04d}", Body=b""
        )

    assert len(list_keys("many")) == 1003


@pytest.mark.parametrize(
    ("endpoint", "region"), [("", "eu-central-1"), ("", ""), ("https://s3.example.org:9000", "")]
)
def test_signed_addresses_have_the_origin_that_pages_allow(settings, endpoint, region):
    options = environment.bucket_options(
        "shells", endpoint=endpoint, region=region, access_key="key", secret_key="secret"
    )
    settings.STORAGES = settings.STORAGES | {"default": settings.STORAGES["default"] | {"OPTIONS": options}}
    origin = environment.bucket_origin("shells", endpoint=endpoint, region=region)

    assert storages["default"].url("a/b.png").startswith(f"{origin}/")


def test_an_address_is_good_for_one_file_and_says_what_it_is():
    default_storage.save("page.html", ContentFile(b"<p>"))

    url = default_storage.url("page.html", parameters={"ResponseContentType": "text/plain"}, expire=60)
    with urllib.request.urlopen(url) as answer:
        assert (answer.read(), answer.headers["Content-Type"]) == (b"<p>", "text/plain")
    assert "X-Amz-Expires=60" in url
