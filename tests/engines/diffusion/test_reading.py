"""How much of a prompt a base reads, without torch: the same as its own pipeline cuts."""

import json

import pytest

from engines.diffusion.keywords import token_counts
from engines.diffusion.reading import Reader
from engines.errors import ModelError

LONG = "a red cat and a red cat " * 10


def reader_of(folder, kind):
    def read_file(path):
        return (folder / path).read_bytes() if (folder / path).is_file() else None

    return Reader.of_base(kind, read_file)


def test_what_is_not_read_is_what_the_tokenizer_cuts(base_folders, open_base, family):
    reader = reader_of(base_folders(family), family)
    [(count, limit)] = token_counts(open_base(family), [LONG])
    assert (reader.count(LONG), reader.limit) == (count, limit)
    unread = reader.unread(LONG)
    assert LONG.endswith(unread)
    read = LONG.removesuffix(unread)
    assert read[-1] == " "
    assert limit - 3 < reader.count(read) <= limit
    assert reader.unread("a red cat") == ""


def test_the_two_older_files_of_clip_read_the_same(base_folders, tmp_path):
    whole = json.loads((base_folders("sd15") / "tokenizer/tokenizer.json").read_text())
    merges = [pair if isinstance(pair, str) else " ".join(pair) for pair in whole["model"]["merges"]]
    folder = tmp_path / "tokenizer"
    folder.mkdir()
    (folder / "vocab.json").write_text(json.dumps(whole["model"]["vocab"]))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges))
    config = (base_folders("sd15") / "tokenizer/tokenizer_config.json").read_text()
    (folder / "tokenizer_config.json").write_text(config)
    for prompt in ("a red cat", "A Red  CAT's \n hat, 42 élan!", LONG):
        assert reader_of(tmp_path, "sd15").count(prompt) == reader_of(base_folders("sd15"), "sd15").count(
            prompt
        )


def test_a_tokenizer_that_cannot_be_read_is_named():
    with pytest.raises(ModelError, match="tokenizer"):
        Reader.of_base("sd15", lambda path: b"{" if path.endswith("tokenizer.json") else None)
