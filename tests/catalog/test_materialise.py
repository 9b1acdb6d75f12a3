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
from catalog.files import materialise, weight_key
from catalog.manifests import read_manifest
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
