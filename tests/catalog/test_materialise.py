"""Laying a version's files out as a folder."""

import os
import signal
import subprocess
import sys
from functools import partial

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from catalog import files
from catalog.exceptions import BrokenModelError
from catalog.files import materialise, models_cache, tidy_cache, weight_key
from catalog.manifests import read_manifest
from catalog.models import ModelVersion
from jobs import holds, registry
from jobs.context import Outcome
from jobs.models import Queue, State
from jobs.registry import JobKind
from jobs.services import submit_job
from jobs.testing import run_pending
from tests.catalog.at_once import at_once


def test_folder_holds_the_published_files(version):
    folder = materialise(version)
    assert {path.name for path in folder.iterdir()} == {file.path for file in version.files.all()}
    assert read_manifest(folder).content == version.manifest


def test_second_time_reads_nothing_from_storage(version, django_assert_num_queries):
    first = materialise(version)
    with django_assert_num_queries(0):
        assert materialise(version) == first


def test_altered_file_is_refused(version):
    key = weight_key(version.weights_sha256)
    default_storage.delete(key)
    default_storage.save(key, ContentFile(b"something else"))
    with pytest.raises(BrokenModelError, match="altered"):
        materialise(version)
    assert not (files.cache_dir() / version.sha256).exists()


def test_missing_file_is_refused(version):
    default_storage.delete(weight_key(version.weights_sha256))
    with pytest.raises(BrokenModelError, match="missing"):
        materialise(version)


@pytest.mark.django_db(transaction=True)
def test_many_at_once_get_the_same_complete_folder(version):
    folders = at_once([partial(materialise, version)] * 6)
    assert set(folders) == {files.cache_dir() / version.sha256}
    assert len(list(folders[0].iterdir())) == 4


def test_a_killed_process_leaves_nothing_in_the_way(version, cache_dir):
    """A process that dies holding the lock, its folder half made, keeps nobody waiting."""
    cache_dir.mkdir()
    lock = cache_dir / f".{version.sha256}.lock"
    half = cache_dir / f".{version.sha256}.abc.part"
    holding = f"""
import fcntl, pathlib, time
file = open({str(lock)!r}, "a")
fcntl.flock(file, fcntl.LOCK_EX)
pathlib.Path({str(half)!r}).mkdir()
print("held", flush=True)
time.sleep(600)
"""
    holder = subprocess.Popen([sys.executable, "-c", holding], stdout=subprocess.PIPE)
    assert holder.stdout.readline() == b"held\n"
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    holder.stdout.close()
    assert len(list(materialise(version).iterdir())) == 4
    assert not half.exists()


def test_deleted_versions_leave_the_cache_and_others_stay(publish, owner, cache_dir):
    """Also where the model was deleted on another machine."""
    kept, deleted = materialise(publish(owner)), cache_dir / ("0" * 64)
    deleted.mkdir()
    holds.let_go()
    tidy_cache()
    assert kept.is_dir()
    assert not deleted.exists()


def test_others_give_way_beyond_the_limit(publish, owner, settings):
    first, second = publish(owner, "one", seed=1), publish(owner, "two", seed=2)
    settings.MODELS_BYTES = first.size_bytes
    folder = materialise(first)
    holds.let_go()
    assert materialise(second).is_dir()
    assert not folder.exists()
    assert materialise(first) == folder


def use_version(_context):
    """A job's handler: nobody removes what it uses."""
    folder = materialise(ModelVersion.objects.get())
    assert not models_cache().remove(folder.name)
    return Outcome()


def test_a_job_holds_what_it_uses_until_it_has_ended(version, owner, monkeypatch):
    kind = JobKind(name="use", queue=Queue.LIGHT, handler=f"{__name__}.use_version", title="Using a model")
    monkeypatch.setitem(registry._kinds, "use", kind)
    submit_job(owner=owner, kind="use", label="Using a model")
    (job,) = run_pending()
    assert job.state == State.SUCCEEDED
    assert models_cache().remove(version.sha256)
