"""Words that a base never saw: which they are, and what to say instead."""

import pytest

from engines.diffusion.words import Words, count_words, read_words, unknown_words, write_words
from engines.errors import ModelError

CAPTIONS = [
    "a cat on a light blue background, emoji",
    "two cats in the snow, line drawing",
    "a pony at the beach, emoji",
    "an elephant on a meadow, thin icon",
]


@pytest.fixture
def words():
    meanings = {"kitten": ("cat", "cats"), "sketch": ("line drawing",), "azure": ("light blue",)}
    return Words(count_words(CAPTIONS), meanings)


def marked(prompt, words, **options):
    return {
        prompt[start:end]: suggestions for start, end, suggestions in unknown_words(prompt, words, **options)
    }


def test_known_prompts_are_left_alone(words):
    assert unknown_words("A cat's pony, in the SNOW, with my cats!", words) == []
    assert unknown_words("", words) == []


@pytest.mark.parametrize(
    ("word", "nearest"),
    [
        ("Kitten", "cat"),  # by meaning
        ("kittens", "cat"),
        ("sketch", "line drawing"),
        ("ponies", "pony"),  # by inflection
        ("elefant", "elephant"),  # by spelling
        ("beech", "beach"),
    ],
)
def test_the_nearest_known_word_is_offered_first(words, word, nearest):
    prompt = f"a {word} on a meadow"
    [(start, end, suggestions)] = unknown_words(prompt, words)
    assert prompt[start:end] == word
    assert suggestions[0] == nearest


@pytest.mark.parametrize("word", ["thee", "cab", "ascot", "sketches"])
def test_what_only_sounds_alike_is_not_offered(words, word):
    """A word that carries no picture, a short one, another first letter; and one whose meaning is known."""
    suggestions = marked(f"a {word}", words).get(word, ())
    assert suggestions == (("line drawing",) if word == "sketches" else ())


def test_what_nothing_is_near_to_gets_no_suggestion(words):
    assert marked("a xylophone of zzzz" + "z" * 60, words) == {"xylophone": (), "zzzz" + "z" * 60: ()}


def test_keywords_are_known(words):
    assert marked("mimochi cat", words).keys() == {"mimochi"}
    assert marked("Mimochi cat", words, also_known=["mimochi"]) == {}


def test_compounds_are_known_by_their_parts(words):
    assert marked("snow-cat, snow-dragon", words).keys() == {"snow-dragon"}


def test_the_file_comes_back_and_offers_only_what_is_known(words, tmp_path):
    extra = Words(words.counts, {**words.meanings, "tiger": ("lion",), "cat": ("pony",)})
    write_words(tmp_path / "words.json", extra)
    read = read_words((tmp_path / "words.json").read_bytes())
    # No caption had a lion: a tiger is then no other word mistyped.
    assert read == Words(words.counts, {**words.meanings, "tiger": ()})
    assert read.nearest("tiger") == ()
    assert next(iter(read.counts)) == "a"


@pytest.mark.parametrize("content", [b"", b"[]", b'{"words": [1]}', b'{"words": {"cat": "x"}}'])
def test_files_that_are_none_are_refused(content):
    with pytest.raises(ModelError, match="cannot be read"):
        read_words(content)
