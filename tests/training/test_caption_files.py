"""The layouts in which captions travel: what is written is read back as it was."""

import csv
import io
import json
from uuid import uuid4

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from training.caption_files import (
    MAX_TEXT_BYTES,
    is_caption_file,
    read_captions,
    write_csv,
    write_jsonl,
)
from training.captions import clean_caption
from training.exceptions import CaptionRefused
from training.models import DatasetImage
from training.names import clean_name
from training.picture_names import PictureNames, export_names

WRITERS = {"metadata.jsonl": write_jsonl, "metadata.csv": write_csv}
awkward = st.text(alphabet=st.sampled_from("ab '\"=+-@,;\t\n\\{}＝\u2028é猫"), max_size=20)
captions = (st.text(max_size=60) | awkward).map(clean_caption)
names = (st.text(max_size=30) | awkward).map(lambda text: clean_name(f"{text}.jpg"))


def written(name: str, rows) -> bytes:
    return "".join(WRITERS[name](rows)).encode()


class TestRoundTrip:
    @pytest.mark.parametrize("name", WRITERS)
    @given(rows=st.lists(st.tuples(names, captions), max_size=6))
    @example(rows=[("a.jpg", "=1+1"), ("b.jpg", "'=1+1"), ("c.jpg", "'plain'"), ("d.jpg", 'a "b", c\nd')])
    def test_of_metadata(self, name, rows):
        reading = read_captions(name, written(name, rows))
        assert [(row.file_name, row.caption) for row in reading.rows] == rows
        assert reading.problems == []

    def test_an_empty_caption_is_a_text_to_pandas_too(self):
        assert written("metadata.csv", [("a.jpg", "")]).decode("utf-8-sig").endswith('"a.jpg"," "\r\n')
        assert read_captions("metadata.csv", b'file_name,text\na.jpg," "\n').rows[0].caption == ""

    @given(caption=captions)
    def test_of_text_files(self, caption):
        reading = read_captions("a.b.txt", caption.encode())
        assert [(row.file_name, row.caption) for row in reading.rows] == [("a.b", caption)]

    @given(st.lists(names, max_size=8))
    def test_of_names(self, arrived):
        pictures = [DatasetImage(id=uuid4(), name=name, file="x/y.png") for name in arrived]
        exported = list(export_names(pictures))
        found = PictureNames(pictures)
        stems = [name.removesuffix(".png").casefold() for _picture, name in exported]
        assert len(set(stems)) == len(stems)
        for picture, name in exported:
            assert found.find(name) == found.find(name.removesuffix(".png")) == picture.id
            assert not name.startswith(("=", "+", "-", "@", "'"))


class TestWriting:
    def test_a_spreadsheet_meets_no_formula(self):
        rows = [("a.jpg", "=HYPERLINK(1)"), ("b.jpg", "@x"), ("c.jpg", "＝1"), ("d.jpg", "a=b")]
        cells = list(csv.reader(io.StringIO(written("metadata.csv", rows).decode("utf-8-sig"))))
        assert [row[1] for row in cells[1:]] == ["'=HYPERLINK(1)", "'@x", "'＝1", "a=b"]

    def test_metadata_has_the_columns_of_image_folders(self):
        rows = [("a.jpg", "naïve 猫")]
        assert json.loads(written("metadata.jsonl", rows)) == {"file_name": "a.jpg", "text": "naïve 猫"}
        assert written("metadata.jsonl", rows).decode().endswith('猫"}\n')
        assert written("metadata.csv", rows).decode("utf-8-sig").startswith('"file_name","text"\r\n')


class TestReading:
    def test_other_names_and_separators_are_understood(self):
        for text in ("image;caption\nx/a.jpg;one, two\n", "FILENAME\tPrompt\nx/a.jpg\tone, two\n"):
            reading = read_captions("captions.csv", text.encode())
            assert [(row.file_name, row.caption) for row in reading.rows] == [("x/a.jpg", "one, two")]
        reading = read_captions("m.jsonl", b'{"image": "a.jpg", "prompt": "x", "more": [1]}')
        assert reading.rows[0].caption == "x"

    def test_marks_and_wide_encodings_are_understood(self):
        assert read_captions("a.txt", "\ufeffein Bär".encode()).rows[0].caption == "ein Bär"
        text = "file_name\ttext\na.jpg\tein Bär\n"
        assert read_captions("a.csv", text.encode("utf-16")).rows[0].caption == "ein Bär"

    def test_each_bad_line_says_where_it_stands_and_the_others_are_taken(self):
        lines = ['{"file_name": "a.jpg", "text": "x"}', "no", "[1]", '{"file_name": "b.jpg"}', "[" * 5000]
        reading = read_captions("metadata.jsonl", "\n".join(lines).encode())
        assert [row.file_name for row in reading.rows] == ["a.jpg"]
        assert [problem.where for problem in reading.problems] == [
            f"metadata.jsonl, line {number}" for number in (2, 3, 4, 5)
        ]
        reading = read_captions("metadata.csv", b"file_name,text\na.jpg,x\nb.jpg\n,\n")
        assert [row.file_name for row in reading.rows] == ["a.jpg"]
        assert [problem.where for problem in reading.problems] == ["metadata.csv, line 3"]

    @pytest.mark.parametrize(
        ("name", "content", "reason"),
        [
            ("a.txt", b"\xff\x00\x81", "UTF-8"),
            ("a.txt", b"x" * (MAX_TEXT_BYTES + 1), "64 KB"),
            ("a.csv", b"", "columns"),
            ("a.csv", b"name,title\na,b\n", "columns"),
            ("a.csv", b'file_name,text\na,"' + b"x" * 200_000, "quotation marks"),
        ],
    )
    def test_a_file_that_cannot_be_read_says_why(self, name, content, reason):
        reading = read_captions(name, content)
        assert reading.rows == []
        assert [reason in problem.reason for problem in reading.problems] == [True]

    @pytest.mark.parametrize(
        ("name", "expected"), [("a.TXT", True), ("a.caption", True), ("a.csv", True), ("a.jpg", False)]
    )
    def test_is_told_by_its_ending(self, name, expected):
        assert is_caption_file(name) is expected


class TestNames:
    def found(self, *arrived: str) -> tuple[list[DatasetImage], PictureNames]:
        pictures = [DatasetImage(id=uuid4(), name=name, file="x/y.jpg") for name in arrived]
        return pictures, PictureNames(pictures)

    def test_the_same_stem_is_told_apart(self):
        pictures, _found = self.found("a.png", "A.jpg", "a-2.jpg", "con.png", "=1.png", 'b"?.png', "a")
        assert [name for _picture, name in export_names(pictures)] == [
            "a.jpg", "A-2.jpg", "a-2-2.jpg", "_con.jpg", "_=1.jpg", "b__.jpg", "a-3.jpg"
        ]  # fmt: skip

    @pytest.mark.parametrize("name", ["IMG 1.HEIC", "img 1", "x/y/IMG 1.jpg", ".\\IMG 1.heic"])
    def test_a_picture_is_found_by_the_name_it_came_with(self, name):
        pictures, found = self.found("IMG 1.HEIC", "IMG 2.HEIC")
        assert found.find(name) == pictures[0].id

    def test_one_that_is_not_there_is_named(self):
        with pytest.raises(CaptionRefused, match=r"b\.jpg"):
            self.found("a.jpg")[1].find("b.jpg")

    def test_names_that_became_the_same_are_not_guessed(self):
        pictures, found = self.found("1.jpg", "1.jpg")
        assert found.find("1-2.jpg") == pictures[1].id
        with pytest.raises(CaptionRefused, match="2 pictures"):
            found.find("cats/1.jpg")
