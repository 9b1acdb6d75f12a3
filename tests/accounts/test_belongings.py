"""Taking everything along: all that is one's own, and nothing that is another's."""

import io
import json
import zipfile

import pytest
from django.test import Client
from django.urls import reverse

from accounts.belongings import everything_of, parts, stored_file
from accounts.models import User
from tests.wallets import give_credits
from tests.world import build_world

pytestmark = pytest.mark.django_db


def _files(user: User, *names: str) -> dict[str, bytes]:
    return {name: b"".join(content) for name, content in everything_of(user, names)}


def _confirm(client: Client, user: User) -> None:
    """Sign in and give the password once more, as the page asks for it."""
    client.force_login(user)
    answer = client.post(
        reverse("account_reauthenticate"), {"password": "correct horse", "next": reverse("account_data")}
    )
    assert answer["Location"] == reverse("account_data")


def _rows(content: bytes) -> list[dict[str, object]]:
    return [json.loads(line) for line in content.splitlines()]


def test_all_that_somebody_has_comes_along(owner, tmp_path):
    world = build_world(owner, tmp_path)
    give_credits(owner, 40)

    files = _files(owner)

    assert _rows(files["account/account.jsonl"])[0]["email"] == owner.email
    assert str(world.picture.pk) in files["pictures/pictures.jsonl"].decode()
    assert f"pictures/pictures/{world.picture.pk}.png" in files
    assert f"models/models/{world.version.model.name}/v1/model/g_ema.safetensors" in files
    assert any(name.startswith("training/datasets/") and name.endswith(".png") for name in files)
    assert [row["id"] for row in _rows(files["training/experiments.jsonl"])] == [str(world.experiment.pk)]
    assert {row["id"] for row in _rows(files["pictures/walks.jsonl"])} == {str(world.walk.pk)}
    assert ",40," in files["billing/credits.csv"].decode()
    assert len(_rows(files["jobs/jobs.jsonl"])) == owner.jobs.count()
    assert "account/" in files["README.txt"].decode()


def test_nothing_of_anybody_else_comes_along(owner, stranger, tmp_path):
    world = build_world(owner, tmp_path)
    give_credits(owner, 40)
    give_credits(stranger, 3)

    files = _files(stranger)

    everything = b"".join(files.values()).decode()
    assert not any(name.endswith((".png", ".safetensors", ".mp4")) for name in files)
    for thing in (owner.email, str(world.picture.pk), str(world.dataset.pk), world.version.model.name):
        assert thing not in everything
    assert ",40," not in files["billing/credits.csv"].decode()


def test_no_secret_comes_along(owner, tmp_path):
    build_world(owner, tmp_path)
    everything = b"".join(_files(owner).values())
    assert owner.password.encode() not in everything


def test_names_are_unique_and_stay_below_their_part(owner, tmp_path):
    build_world(owner, tmp_path)
    names = [name for name, _content in everything_of(owner)]
    assert len(names) == len(set(names))
    assert all(".." not in name and not name.startswith("/") for name in names)
    assert {name.split("/")[0] for name in names} <= {"README.txt", *(part.name for part in parts())}


def test_a_file_that_is_gone_is_left_out(owner):
    assert list(stored_file("a.png", "gone/nowhere.png")) == []
    assert list(stored_file("a.png", "")) == []


def test_the_password_is_asked_for_first(owner):
    client = Client()
    client.force_login(owner)

    page = client.get(reverse("account_data"))
    assert reverse("account_download") not in page.content.decode()
    assert reverse("account_data_confirm") in page.content.decode()
    for address in (
        reverse("account_download"),
        reverse("account_download_part", args=["billing"]),
        reverse("account_data_confirm"),
    ):
        answer = client.get(address)
        assert answer.status_code == 302
        assert "reauthenticate" in answer["Location"]


def test_then_everything_or_a_part_is_sent(owner):
    client = Client()
    _confirm(client, owner)

    page = client.get(reverse("account_data")).content.decode()
    whole = client.get(reverse("account_download"))
    part = client.get(reverse("account_download_part", args=["account"]))

    assert reverse("account_download") in page
    assert reverse("account_erase") in page
    assert whole["Content-Disposition"].startswith("attachment")
    with zipfile.ZipFile(io.BytesIO(whole.getvalue())) as archive:
        assert archive.testzip() is None
        assert "account/account.jsonl" in archive.namelist()
    with zipfile.ZipFile(io.BytesIO(part.getvalue())) as archive:
        assert {name.split("/")[0] for name in archive.namelist()} == {"README.txt", "account"}


def test_an_unknown_part_is_not_found(owner):
    client = Client()
    _confirm(client, owner)
    assert client.get(reverse("account_download_part", args=["nothing"])).status_code == 404
