"""Headers of safetensors files, read by the letter."""

import struct

import pytest

from engines.errors import ModelError
from engines.headers import MAX_HEADER_BYTES, read_strictly


def test_a_header_of_more_than_100_mb_is_not_read(tmp_path):
    """Abuse case 22: the file is as long as it says, and full of nothing."""
    path = tmp_path / "style.safetensors"
    with path.open("wb") as file:
        file.write(struct.pack("<Q", MAX_HEADER_BYTES + 1) + b"{")
        file.truncate(MAX_HEADER_BYTES + 100)
    with pytest.raises(ModelError, match="than is allowed"):
        read_strictly(path)


def test_a_header_of_2_to_the_62_is_not_read(tmp_path):
    path = tmp_path / "style.safetensors"
    path.write_bytes(struct.pack("<Q", 1 << 62) + b"{}")
    with pytest.raises(ModelError, match="longer than the file"):
        read_strictly(path)
