"""A backup holds everything, and restoring it brings everything back."""

import io
import json
import tarfile

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command

from accounts.models import User
from config import backup, embedded

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _data_dir(settings, tmp_path):
    """The kept secrets and backups of a test lie in its own directory; the servers are the run's."""
    settings.DATA_DIR = tmp_path / "data"
    embedded.prepare_directories(settings.DATA_DIR)
    (settings.DATA_DIR / "secret-key").write_text("the first key")


@pytest.fixture
def _shared_servers(monkeypatch, settings):
    """The command would start servers in the test's own directory."""
    monkeypatch.setenv("DATABASE_URL", "postgresql:///given")
    monkeypatch.setenv("REDIS_URL", settings.REDIS_URL)


def store(text: str) -> None:
    default_storage.delete("private/note.txt")
    default_storage.save("private/note.txt", ContentFile(text.encode()))


@pytest.mark.usefixtures("_shared_servers")
def test_a_round_trip_brings_everything_back(make_user, settings, tmp_path, capsys):
    make_user("before@example.org")
    store("before")
    target = tmp_path / "somewhere" / "studio.tar"
    call_command("backup", "--to", str(target))
    assert target.stat().st_mode & 0o077 == 0

    User.objects.all().delete()
    make_user("after@example.org")
    store("after")
    (settings.DATA_DIR / "secret-key").write_text("another key")

    call_command("restore", str(target))
    assert [user.email for user in User.objects.all()] == ["before@example.org"]
    with default_storage.open("private/note.txt") as file:
        assert file.read() == b"before"
    assert (settings.DATA_DIR / "secret-key").read_text() == "the first key"
    assert not list(settings.DATA_DIR.glob(".restore-*"))

    [saved] = (settings.DATA_DIR / "backups").glob("before-restore-*.tar")
    assert str(saved) in capsys.readouterr().out
    call_command("restore", str(saved))
    assert [user.email for user in User.objects.all()] == ["after@example.org"]


@pytest.mark.usefixtures("_shared_servers")
def test_a_running_studio_is_not_restored_under(settings, tmp_path):
    backup.write_backup(tmp_path / "studio.tar")
    with embedded.exclusive(settings.DATA_DIR, "studio"), pytest.raises(CommandError, match="Stop it first"):
        call_command("restore", str(tmp_path / "studio.tar"))


@pytest.mark.parametrize("content", [b"", b"no tar at all" * 100])
def test_what_is_no_backup_changes_nothing(make_user, tmp_path, content):
    make_user()
    (tmp_path / "strange.tar").write_bytes(content)
    with pytest.raises(backup.BackupError, match="is not a backup"):
        backup.restore_backup(tmp_path / "strange.tar")
    assert User.objects.count() == 1


def test_a_damaged_backup_changes_nothing(make_user, tmp_path):
    make_user()
    target = tmp_path / "studio.tar"
    backup.write_backup(target)
    damaged = _with(target, "database.dump", b"PGDMP and nonsense")
    with pytest.raises(backup.BackupError, match="is damaged"):
        backup.restore_backup(damaged)
    assert User.objects.count() == 1


def test_a_backup_of_a_newer_format_is_refused(tmp_path):
    target = tmp_path / "studio.tar"
    backup.write_backup(target)
    with tarfile.open(target) as tar:
        manifest = json.load(tar.extractfile("manifest.json"))
    newer = _with(target, "manifest.json", json.dumps({**manifest, "format": 2}).encode())
    with pytest.raises(backup.BackupError, match="newer Atelier"):
        backup.restore_backup(newer)


def test_members_outside_are_refused(tmp_path):
    target = tmp_path / "studio.tar"
    backup.write_backup(target)
    with pytest.raises(backup.BackupError, match="is not a backup"):
        backup.restore_backup(_with(target, "../outside", b"x"))
    assert not (tmp_path / "data" / "outside").exists()


def test_nothing_is_overwritten(tmp_path):
    (tmp_path / "studio.tar").write_bytes(b"mine")
    with pytest.raises(backup.BackupError, match="there already"):
        backup.write_backup(tmp_path / "studio.tar")


def _with(source, name, content):
    """Return a copy of a backup with one member replaced or added."""
    copy = source.with_name("altered.tar")
    with tarfile.open(source) as old, tarfile.open(copy, "w") as new:
        for member in old.getmembers():
            if member.name != name:
                new.addfile(member, old.extractfile(member) if member.isfile() else None)
        added = tarfile.TarInfo(name)
        added.size = len(content)
        new.addfile(added, io.BytesIO(content))
    return copy
