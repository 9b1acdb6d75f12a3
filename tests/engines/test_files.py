import pytest

from engines.files import atomic_folder, sha256_file


def test_the_folder_appears_complete(tmp_path):
    with atomic_folder(tmp_path / "deep" / "target") as draft:
        (draft / "a.txt").write_text("a")
        assert not (tmp_path / "deep" / "target").exists()
    assert (tmp_path / "deep" / "target" / "a.txt").read_text() == "a"
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["target"]


def test_a_failure_leaves_what_was_there_and_no_remains(tmp_path):
    with atomic_folder(tmp_path / "target") as draft:
        (draft / "a.txt").write_text("old")

    def fail():
        with atomic_folder(tmp_path / "target") as draft:
            (draft / "a.txt").write_text("new")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert (tmp_path / "target" / "a.txt").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["target"]


def test_an_existing_folder_is_replaced_as_a_whole(tmp_path):
    for name in ("a.txt", "b.txt"):
        with atomic_folder(tmp_path / "target") as draft:
            (draft / name).write_text(name)
    assert [path.name for path in (tmp_path / "target").iterdir()] == ["b.txt"]
    assert [path.name for path in tmp_path.iterdir()] == ["target"]


def test_sha256_of_a_known_text(tmp_path):
    (tmp_path / "abc").write_bytes(b"abc")
    assert sha256_file(tmp_path / "abc").startswith("ba7816bf8f01cfea")
