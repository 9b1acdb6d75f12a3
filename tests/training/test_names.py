"""Names of uploaded files."""

import pytest

from training.names import MAX_LENGTH, clean_name


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("cat.png", "cat.png"),
        ("folder/cat.png", "cat.png"),
        ("..\\..\\cat.png", "cat.png"),
        ("a\0b.png", "ab.png"),
        ("cat\u202egnp.exe", "catgnp.exe"),
        ("<b>cat</b>.png", "b>.png"),
        ("", "unnamed"),
        ("///", "unnamed"),
    ],
)
def test_clean_name(sent, shown):
    assert clean_name(sent) == shown


def test_long_names_are_cut_and_keep_their_extension():
    name = clean_name("x" * 300 + ".jpeg")
    assert len(name) == MAX_LENGTH
    assert name.endswith("….jpeg")
