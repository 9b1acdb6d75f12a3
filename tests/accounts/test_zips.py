"""ZIP files that are sent while they are made."""

import io
import zipfile

from accounts.zips import stream_zip, zip_response


def test_contents_come_whole_and_piece_by_piece():
    contents = {"a.jpg": b"a" * 600_000, "sub/ü.txt": b"", "b.jpg": b"b" * 600_000}
    entries = ((name, [content[:300_000], content[300_000:]]) for name, content in contents.items())
    pieces = list(stream_zip(entries))
    assert len(pieces) >= 4
    assert max(map(len, pieces)) < 700_000
    with zipfile.ZipFile(io.BytesIO(b"".join(pieces))) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == contents


def test_small_contents_travel_together():
    assert len(list(stream_zip((f"{number}.txt", [b"x"]) for number in range(100)))) == 1


def test_it_is_a_private_download():
    response = zip_response([("a.txt", [b"x"])], "Bär.zip")
    assert response["Content-Type"] == "application/zip"
    assert response["Content-Disposition"].startswith("attachment")
    assert response["Cache-Control"] == "private, no-store"
    assert response["X-Content-Type-Options"] == "nosniff"
