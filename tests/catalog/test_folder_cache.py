"""Folders on this machine's disk give way to others, but never under who uses them."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from catalog import folder_cache
from catalog.folder_cache import FolderCache
from config.settings import BASE_DIR
from jobs import holds
from tests.catalog.at_once import at_once

SIZE = 1000


@pytest.fixture(autouse=True)
def _large_disk(monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=1 << 50))


def fill(folder: Path) -> None:
    (folder / "weights").write_bytes(bytes(SIZE))


def lay_out(cache: FolderCache, *names: str) -> None:
    """Use folders one after the other, each in a job of its own, the first the longest ago."""
    for moment, name in enumerate(names):
        folder = cache.get(name, size_bytes=SIZE, fill=fill)
        holds.let_go()
        os.utime(folder, (moment, moment))


@contextmanager
def another_process(cache_dir: Path, code: str) -> Iterator[subprocess.Popen[str]]:
    """A process that has `cache`, runs some lines and says "there"; it is killed at the end."""
    lines = [
        "import shutil, time, types",
        "from pathlib import Path",
        "from catalog.folder_cache import FolderCache",
        "shutil.disk_usage = lambda path: types.SimpleNamespace(free=1 << 50)",
        f"cache = FolderCache(Path({str(cache_dir)!r}), {SIZE})",
        f"fill = lambda folder: (folder / 'weights').write_bytes(bytes({SIZE}))",
        "def stay(*_arguments, **_options):",
        "    print('there', flush=True)",
        "    time.sleep(600)",
        code,
        "stay()",
    ]
    process = subprocess.Popen(
        [sys.executable, "-c", "\n".join(lines)], stdout=subprocess.PIPE, text=True, cwd=BASE_DIR
    )
    try:
        assert process.stdout.readline() == "there\n"
        yield process
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()


def test_the_least_recently_used_leaves(cache_dir):
    cache = FolderCache(cache_dir, 3 * SIZE)
    lay_out(cache, "b", "c", "a", "b")
    cache.get("d", size_bytes=SIZE, fill=fill)
    assert sorted(cache.names()) == ["a", "b", "d"]
    assert cache.used_bytes() == 3 * SIZE


def test_what_is_used_stays_even_beyond_the_limit(cache_dir):
    cache = FolderCache(cache_dir, SIZE)
    for name in "abc":
        cache.get(name, size_bytes=SIZE, fill=fill)
    assert sorted(cache.names()) == ["a", "b", "c"]
    assert not cache.remove("a")
    holds.let_go()
    cache.make_room()
    assert len(cache.names()) == 1


def test_a_folder_larger_than_the_limit_is_laid_out_all_the_same(cache_dir):
    cache = FolderCache(cache_dir, SIZE // 2)
    lay_out(cache, "a")
    assert (cache.get("b", size_bytes=SIZE, fill=fill) / "weights").is_file()
    assert cache.names() == ["b"]


def test_a_full_disk_makes_them_leave_before_the_limit(cache_dir, monkeypatch):
    cache = FolderCache(cache_dir, 100 * SIZE)
    lay_out(cache, "a", "b")
    spare = folder_cache._SPARE_BYTES
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=spare))
    cache.get("c", size_bytes=SIZE, fill=fill)
    assert sorted(cache.names()) == ["b", "c"]


def test_what_was_removed_by_hand_is_laid_out_again(cache_dir):
    cache = FolderCache(cache_dir, SIZE)
    folder = cache.get("a", size_bytes=SIZE, fill=fill)
    shutil.rmtree(folder)
    assert (cache.get("a", size_bytes=SIZE, fill=fill) / "weights").is_file()


def test_nothing_is_left_where_filling_fails(cache_dir):
    cache = FolderCache(cache_dir, SIZE)
    with pytest.raises(ZeroDivisionError):
        cache.get("a", size_bytes=SIZE, fill=lambda _folder: 1 / 0)
    assert cache.used_bytes() == 0
    assert not cache.names()


def test_another_process_holds_what_it_uses_until_it_is_killed(cache_dir):
    cache = FolderCache(cache_dir, SIZE)
    with another_process(cache_dir, "cache.get('a', size_bytes=1000, fill=fill)"):
        lay_out(cache, "b")
        assert sorted(cache.names()) == ["a", "b"]
        assert not cache.remove("a")
    lay_out(cache, "c")
    assert cache.names() == ["c"]


def test_a_folder_that_another_process_is_making_is_left_alone(cache_dir):
    cache = FolderCache(cache_dir, SIZE)
    making = "cache.get('a', size_bytes=1000, fill=lambda folder: (fill(folder), stay()))"
    with another_process(cache_dir, making):
        lay_out(cache, "b")
        (draft,) = cache_dir.glob(".a.*.part")
        assert (draft / "weights").is_file()
    cache.make_room()
    assert not draft.exists()
    assert cache.names() == ["b"]


def test_a_process_killed_while_it_removes_leaves_no_half_folder(cache_dir):
    """The folder has lost its name before its first file goes."""
    cache = FolderCache(cache_dir, SIZE)
    lay_out(cache, "a")
    with another_process(cache_dir, "shutil.rmtree = stay\ncache.remove('a')"):
        assert cache.names() == []
        assert cache.used_bytes() == SIZE
    assert (cache.get("a", size_bytes=SIZE, fill=fill) / "weights").stat().st_size == SIZE
    assert cache.used_bytes() == SIZE


def test_who_comes_while_it_is_being_removed_gets_a_whole_one(cache_dir):
    cache = FolderCache(cache_dir, 0)
    for _time in range(5):
        folders = at_once(
            [
                partial(cache.get, "a", size_bytes=SIZE, fill=fill),
                partial(cache.remove, "a"),
                partial(cache.make_room),
                partial(cache.get, "a", size_bytes=SIZE, fill=fill),
            ]
        )
        assert (folders[0], folders[3]) == (cache_dir / "a", cache_dir / "a")
        assert (cache_dir / "a" / "weights").stat().st_size == SIZE
        holds.let_go()
    cache.make_room()
    assert cache.used_bytes() == 0


# Uses one of four folders after the other, and finds each whole for as long as it uses it.
STRESS = """
import os, random
from jobs import holds
rng = random.Random(os.getpid())
for step in range(STEPS):
    folder = cache.get(rng.choice('abcd'), size_bytes=1000, fill=fill)
    for look in range(3):
        assert (folder / 'weights').stat().st_size == 1000
        time.sleep(0.001)
    holds.let_go()
"""


def test_processes_that_are_killed_at_any_moment_do_no_harm(cache_dir):
    """They use four folders where there is room for one."""
    cache = FolderCache(cache_dir, SIZE)
    endless = "print('there', flush=True)\n" + STRESS.replace("STEPS", "1_000_000")
    for delay in (0.05, 0.11, 0.2):
        with another_process(cache_dir, endless), another_process(cache_dir, endless):
            time.sleep(delay)
    through = STRESS.replace("STEPS", "20")
    with another_process(cache_dir, through), another_process(cache_dir, through):
        pass  # both went through all their steps
    lay_out(cache, "a")
    assert cache.used_bytes() == SIZE
    assert cache.names() == ["a"]
