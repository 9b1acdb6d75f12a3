"""Concepts, prompts and composed scenes."""

import subprocess
import sys

import numpy as np
import pytest

from engines.english import article_for
from engines.grounds import COLOURS, SURROUNDINGS, surrounding
from engines.starters.text_to_image.concepts import concepts
from engines.starters.text_to_image.pool import PoolKind, compose_chunk
from engines.starters.text_to_image.prompts import judged, kept_apart
from engines.starters.text_to_image.scenes import SIZE, STYLE_SHARES, Composer, half
from engines.starters.text_to_image.sources import (
    MissingSource,
    read_captions,
    read_drawings,
    read_photographs,
)


def test_concepts_have_articles_and_plurals():
    known = concepts()
    assert len(known) > 400
    assert known["strawberry"].plural == "strawberries"
    assert known["octopus"].article == "an"
    assert known["unicorn"].article == "a"
    assert known["french fries"].article == ""
    assert known["french fries"].plural is None
    assert article_for("orange cat") == "an"


def test_prompts_are_fifty_and_half_are_new_combinations():
    items = judged()
    assert len(items) == 50
    assert len(kept_apart()) == 25
    assert len({item.prompt for item in items}) == 50
    for item in items:
        assert len({item.prompt, *item.others}) == 4


def test_elements_kept_apart_are_things_scenes_have():
    names = {*concepts(), *COLOURS, *SURROUNDINGS, *STYLE_SHARES, *(f"ink {colour}" for colour in COLOURS)}
    for pair in kept_apart():
        assert len(pair) == 2
        assert pair <= names


def test_no_training_scene_brings_together_what_is_kept_apart(images):
    drawings = read_drawings(images)
    free = Composer(drawings)
    bound = Composer(drawings, excluded=kept_apart())
    meetings = [_meetings(composer) for composer in (free, bound)]
    assert meetings[0] > 0
    assert meetings[1] == 0


def _meetings(composer: Composer) -> int:
    rng = np.random.default_rng(0)
    scenes = [composer.scene(rng) for _ in range(700)]
    return sum(any(pair <= scene.elements for pair in kept_apart()) for scene in scenes)


def test_pools_are_composed_without_them(images):
    kind = PoolKind(size=64, core_only=True, capacity=0)
    captions = [caption for number in range(12) for caption in compose_chunk(images, kind, 0, number)[0]]
    assert not any("penguin" in caption and "at the beach" in caption for caption in captions)
    assert any("at the beach" in caption for caption in captions)
    prompts = {item.prompt for item in judged() if item.never_together}
    assert prompts.isdisjoint(captions)


def test_chunks_are_the_same_whoever_composes_them(images):
    kind = PoolKind(size=64, core_only=False, capacity=0)
    captions, pixels = compose_chunk(images, kind, 5, 3)
    again, same = compose_chunk(images, kind, 5, 3)
    assert captions == again
    np.testing.assert_array_equal(pixels, same)
    assert pixels.shape == (64, 64, 64, 3)
    assert compose_chunk(images, kind, 5, 4)[0] != captions


def test_a_caption_names_everything_in_the_scene(images):
    composer = Composer(read_drawings(images))
    rng = np.random.default_rng(1)
    for _ in range(200):
        scene = composer.scene(rng)
        assert scene.pixels.shape == (SIZE, SIZE, 3)
        for element in scene.elements & (set(concepts()) | set(STYLE_SHARES)):
            plural = concepts()[element].plural if element in concepts() else None
            assert element in scene.caption or (plural and plural in scene.caption)


def test_duotone_icons_stay_out(images):
    assert {drawing.style for drawing in read_drawings(images)} == set(STYLE_SHARES)


def test_sources_may_be_unpacked_folders_and_a_missing_one_is_named(images, tmp_path):
    with pytest.raises(MissingSource, match="noto_color"):
        read_drawings(tmp_path)
    assert "penguin" in read_captions(images)


def test_held_out_photographs_are_apart(images):
    assert len(read_photographs(images, held_out=True, size=64)) == 1
    (trained,) = read_photographs(images, held_out=False, size=64)
    assert trained.shape == (83, 64, 3)


def test_half_averages():
    picture = np.arange(4 * 4 * 3, dtype=np.uint8).reshape(4, 4, 3)
    np.testing.assert_array_equal(half(picture)[0, 0], np.rint(picture[:2, :2].mean((0, 1))))


def test_surroundings_are_painted_the_same_each_time():
    for name in SURROUNDINGS:
        first = surrounding(np.random.default_rng(4), 64, name)
        second = surrounding(np.random.default_rng(4), 64, name)
        np.testing.assert_array_equal(first.pixels, second.pixels)


def test_composing_needs_no_torch():
    code = "import sys, engines.starters.text_to_image.pictures; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
