"""Prompts: keywords of trained models, styles, and words that are refused."""

import pytest

from generation.models import BlockedWord, PromptStyle
from generation.prompts import Keyword, blocked_in, switch_keyword, with_style

CAT = Keyword(word="mimochi", subject="cat")
MUG = Keyword(word="ketapo", subject="mug")
INK = Keyword(word="sovuki", is_style=True)
ALL = [CAT, MUG, INK]


@pytest.mark.parametrize(
    ("prompt", "chosen", "expected"),
    [
        ("", CAT, "mimochi cat"),
        ("in the snow", CAT, "mimochi cat in the snow"),
        ("a house", INK, "a house in the style of sovuki"),
        ("a MIMOCHI sits", CAT, "a MIMOCHI sits"),
        ("mimochi cat in the snow", MUG, "ketapo mug in the snow"),
        ("a photo of Mimochi at sea", MUG, "a photo of ketapo mug at sea"),
        ("mimochi cat in the snow", None, "cat in the snow"),
        ("mimochi cat in the snow", INK, "cat in the snow in the style of sovuki"),
        ("a house in the style of sovuki", CAT, "mimochi cat a house"),
        ("a house in the style of sovuki", None, "a house"),
        ("mimochism", CAT, "mimochi cat mimochism"),
        ("a red cat in the snow", CAT, "a red mimochi cat in the snow"),
        ("cats and a Cat", CAT, "cats and a mimochi Cat"),
    ],
)
def test_switching_puts_one_keyword_in_place_of_another(prompt, chosen, expected):
    assert switch_keyword(prompt, chosen, ALL) == expected


def test_switching_back_and_forth_loses_nothing():
    prompt = switch_keyword("in the snow", CAT, ALL)
    for chosen in (MUG, CAT, MUG, CAT):
        prompt = switch_keyword(prompt, chosen, ALL)
    assert prompt == "mimochi cat in the snow"


def test_keywords_with_signs_of_patterns_are_plain_words():
    odd = Keyword(word="a.b\\1", subject="(x)")
    assert odd.is_in("an a.b\\1 here")
    assert not odd.is_in("an acb here")
    assert switch_keyword("a.b\\1 (x) here", MUG, [odd, MUG]) == "ketapo mug here"


def test_a_style_wraps_the_prompt_and_adds_what_it_avoids():
    style = PromptStyle(template="{prompt}, emoji", negative_prompt="text")
    assert with_style("a {cat}", "", style) == ("a {cat}, emoji", "text")
    assert with_style("a cat", "blur", style) == ("a cat, emoji", "blur, text")
    assert with_style("a cat", "blur", None) == ("a cat", "blur")


@pytest.mark.parametrize(
    ("prompt", "found"),
    [
        ("a grenade", "grenade"),
        ("A GRENADE!", "grenade"),
        ("ＧＲＥＮＡＤＥ", "grenade"),
        ("a big\n  bad wolf", "big bad wolf"),
        ("a pomegranade", ""),
        ("grenades", ""),
        ("a wolf", ""),
    ],
)
def test_blocked_words_are_found_as_whole_words(db, prompt, found):
    BlockedWord.objects.bulk_create(BlockedWord(text=text) for text in ("grenade", "big bad wolf"))
    assert blocked_in(prompt) == found


def test_the_starter_has_its_styles(db):
    slugs = set(
        PromptStyle.objects.filter(base_family="starter", is_shown=True).values_list("slug", flat=True)
    )
    assert {"emoji", "line-drawing", "icon", "sticker"} <= slugs
    for style in PromptStyle.objects.all():
        assert style.template.count("{prompt}") == 1
