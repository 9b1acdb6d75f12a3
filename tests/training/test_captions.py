"""What a caption may be, where its keyword stands, and changes to many."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.captions import (
    MAX_LENGTH,
    addition,
    clean_caption,
    clean_keyword,
    filling,
    following_purpose,
    has_keyword,
    renaming,
    replacement,
    with_keyword,
)
from training.exceptions import CaptionRefused
from training.models import Dataset, Purpose

AI_TRAININGS = (Purpose.CHARACTER, Purpose.STYLE, Purpose.OBJECT)
captions = st.text(max_size=80).map(clean_caption)
subjects = st.sampled_from(["", "woman", "tea pot", "C++ [x]"])


class TestCleaning:
    @pytest.mark.parametrize(
        ("typed", "kept"),
        [
            ("  a cat  ", "a cat"),
            ("a\tcat", "a cat"),
            ("one\r\n\r\n two \rthree\n", "one\ntwo\nthree"),
            ("a\x00c\x1bat\ud800", "acat"),
            ("\ufeffa cat", "a cat"),
            ("naïve 猫 👩‍🎨 “quoted”", "naïve 猫 👩‍🎨 “quoted”"),
            ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        ],
    )
    def test_keeps_what_can_be_read(self, typed, kept):
        assert clean_caption(typed) == kept

    @given(st.text(max_size=80))
    def test_what_is_clean_stays(self, text):
        assert clean_caption(clean_caption(text)) == clean_caption(text)

    def test_one_that_is_too_long_says_by_how_much(self):
        assert clean_caption("x" * MAX_LENGTH)
        with pytest.raises(CaptionRefused, match="2,001 characters"):
            clean_caption("x" * (MAX_LENGTH + 1))

    @pytest.mark.parametrize("word", ["", "mimochi", "custom-anna-model", "sks_2", "ミモチ", "7of9"])
    def test_a_keyword_is_one_word(self, word):
        assert clean_keyword(f" {word} ") == word

    @pytest.mark.parametrize("word", ["two words", "-x", "_x", "a,b", "{x}", "<b>"])
    def test_a_keyword_is_nothing_else(self, word):
        with pytest.raises(CaptionRefused):
            clean_keyword(word)


class TestKeyword:
    @pytest.mark.parametrize(
        ("caption", "purpose", "subject", "expected"),
        [
            ("", Purpose.CHARACTER, "woman", "photo of mimochi woman"),
            ("", Purpose.OBJECT, "", "photo of mimochi"),
            ("photo of a woman on a bench", Purpose.CHARACTER, "woman", "photo of mimochi woman on a bench"),
            ("The Woman reads", Purpose.CHARACTER, "woman", "mimochi woman reads"),
            ("womanly grace", Purpose.CHARACTER, "woman", "mimochi woman, womanly grace"),
            ("on a wooden shelf", Purpose.OBJECT, "tea pot", "mimochi tea pot, on a wooden shelf"),
            ("on a wooden shelf", Purpose.OBJECT, "", "mimochi, on a wooden shelf"),
            ("a cat on a roof.", Purpose.STYLE, "painting", "a cat on a roof in the style of mimochi"),
            ("an [x] box", Purpose.OBJECT, "[x]", "mimochi [x] box"),
            ("", Purpose.STYLE, "painting", "painting in the style of mimochi"),
            ("", Purpose.STYLE, "", "picture in the style of mimochi"),
            ("Mimochi waves", Purpose.CHARACTER, "woman", "Mimochi waves"),
            ("mimochis wave", Purpose.CHARACTER, "", "mimochi, mimochis wave"),
            ("a woman\nat night", Purpose.CHARACTER, "woman", "mimochi woman\nmimochi woman, at night"),
            ("a woman", Purpose.EXPERIMENT, "woman", "a woman"),
        ],
    )
    def test_stands_where_a_name_stands(self, caption, purpose, subject, expected):
        assert with_keyword(caption, "mimochi", purpose, subject) == expected

    @given(captions, st.sampled_from(AI_TRAININGS), subjects)
    def test_is_always_there_once_and_for_all(self, caption, purpose, subject):
        once = with_keyword(caption, "mimochi", purpose, subject)
        assert has_keyword(once, "mimochi")
        assert with_keyword(once, "mimochi", purpose, subject) == once
        assert clean_caption(once) == once

    @given(captions, st.sampled_from(Purpose.values), subjects)
    def test_nothing_happens_without_one(self, caption, purpose, subject):
        assert with_keyword(caption, "", purpose, subject) == caption

    def test_a_changed_one_is_changed_everywhere(self):
        rename = renaming("old", "new")
        assert rename("photo of Old woman, older, old-old") == "photo of new woman, older, new-new"
        assert renaming("", "new")("a cat") == "a cat"


class TestChanges:
    @pytest.mark.parametrize(
        ("find", "replace", "whole_words", "expected"),
        [
            ("cat", "dog", False, "a dog, a dogfish"),
            ("cat", "dog", True, "a dog, a catfish"),
            (" cat,", " dog;", True, "a dog; a catfish"),
            ("a ", "", False, "cat, catfish"),
            (".*", "x", False, "a cat, a catfish"),
            ("cat", r"\1\g<0>", True, r"a \1\g<0>, a catfish"),
        ],
    )
    def test_replaces_plain_text(self, find, replace, whole_words, expected):
        assert replacement(find, replace, whole_words=whole_words)("a cat, a catfish") == expected

    @pytest.mark.parametrize(
        ("before", "after", "expected"),
        [("old", "", "old cat"), ("", "at dusk", "cat at dusk"), ("", ", at dusk", "cat, at dusk")],
    )
    def test_adds_text(self, before, after, expected):
        assert addition(before, after)("cat") == expected

    def test_adds_to_every_line_and_to_an_empty_caption(self):
        assert addition("a", "")("cat\ndog") == "a cat\na dog"
        assert addition("a cat", "")("") == "a cat"

    @pytest.mark.parametrize(
        ("template", "caption", "expected"),
        [
            ("photo of {keyword} {class}", "anything", "photo of mimochi cat"),
            ("{caption} in the style of {keyword}", "a roof", "a roof in the style of mimochi"),
            ("{caption} in the style of {keyword}", "", "in the style of mimochi"),
            ("{caption}, {caption}", "{keyword}", "{keyword}, {keyword}"),
        ],
    )
    def test_fills_templates(self, template, caption, expected):
        assert filling(template, keyword="mimochi", subject="cat")(caption) == expected

    def test_a_template_is_written_around_a_caption_once(self):
        fill = filling("{caption} in the style of {keyword}", keyword="mimochi", subject="")
        assert fill(fill("a roof")) == "a roof in the style of mimochi"

    @pytest.mark.parametrize(
        ("was", "now", "caption", "expected"),
        [
            ("character", "style", "photo of mimochi cat", "cat in the style of mimochi"),
            ("character", "object", "photo of mimochi cat", "photo of mimochi cat"),
            ("style", "character", "a roof in the style of mimochi", "mimochi cat, a roof"),
            ("style", "character", "a cat asleep in the style of mimochi", "mimochi cat asleep"),
            ("style", "object", "cat in the style of mimochi", "photo of mimochi cat"),
            ("experiment", "style", "a roof", "a roof in the style of mimochi"),
            ("character", "style", "mimochi cat on a roof", "mimochi cat on a roof"),
            ("character", "style", "", ""),
        ],
    )
    def test_what_a_template_made_follows_the_purpose(self, was, now, caption, expected):
        dataset = Dataset(purpose=now, keyword="mimochi", subject="cat")
        assert following_purpose(dataset, was)(caption) == expected

    def test_an_unknown_placeholder_is_refused(self):
        with pytest.raises(CaptionRefused, match="colour"):
            filling("a {colour} cat", keyword="", subject="")
