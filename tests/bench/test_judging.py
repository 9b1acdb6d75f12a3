"""Judging blind: pages without names, a key apart, and the count of right answers."""

import csv
import json

import numpy as np
import pytest
from PIL import Image

from bench.work.judging.distances import (
    find_copies,
    find_duplicates,
    hold_out,
    levels_apart,
    planted_copies,
)
from bench.work.judging.mascots import MASCOTS, draw_mascot
from bench.work.judging.scores import score_lines
from bench.work.judging.sheets import Question, read_key, write_sheets
from bench.work.judging.subjects import Subject

SEED = 3


def picture(seed, side=32):
    return np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)


def question(number, choices, name="a cat in the snow"):
    return Question(picture=picture(number), choices=choices, group=f"group {number % 2}", name=name)


@pytest.fixture
def captions():
    return [question(number, [f"right {number}", "one", "two", "three"]) for number in range(10)]


def answer(folder, title, letters):
    path = folder / f"{title}-answers.csv"
    rows = list(csv.reader(path.read_text().splitlines()))
    assert [row[1] for row in rows[1:]] == [""] * (len(rows) - 1)
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([rows[0], *([item, letters[int(item)]] for item, _empty in rows[1:])])
    return path


def test_pages_are_the_same_every_time_and_name_nothing(captions, tmp_path):
    for folder in ("one", "two"):
        write_sheets(captions, tmp_path / folder, title="captions", seed=SEED)
    pages = sorted(path.name for path in (tmp_path / "one").glob("*.png"))
    assert pages == ["captions-01.png", "captions-02.png"]
    for page in pages:
        assert (tmp_path / "one" / page).read_bytes() == (tmp_path / "two" / page).read_bytes()
        with Image.open(tmp_path / "one" / page) as image:
            assert not image.info


def test_key_and_count(captions, tmp_path):
    key = write_sheets(captions, tmp_path, title="captions", seed=SEED)
    assert read_key(tmp_path / "captions-key.json") == key
    assert len({answer.right for answer in key}) > 1
    right = {one.item: one.right for one in key}
    answers = answer(tmp_path, "captions", right)
    lines = score_lines(tmp_path / "captions-key.json", answers)
    assert [line.split()[-8:] for line in lines] == [
        f"{count} of {count} 100.0 % ({count} with copies)".split() for count in (5, 5, 10)
    ]
    right[3] = "F"
    lines = score_lines(tmp_path / "captions-key.json", answer_again(answers, right))
    assert "9 of  10" in lines[2]
    assert "3: F instead of" in lines[3]


def answer_again(path, letters):
    text = "\n".join(["item,answer", *(f"{item},{letter.lower()}" for item, letter in letters.items())])
    path.write_text(text)
    return path


def test_a_copy_counts_as_wrong_and_a_missing_answer_is_an_error(tmp_path):
    questions = [question(0, ["right", "a", "b", "c"], name="a dog (copy)")]
    [key] = write_sheets(questions, tmp_path, title="subjects")
    path = answer(tmp_path, "subjects", {1: key.right})
    line = score_lines(tmp_path / "subjects-key.json", path)[0]
    assert "0 of   1" in line
    assert "(1 with copies)" in line
    path.write_text("item,answer\n1,\n")
    with pytest.raises(ValueError, match="differ in 1 numbers"):
        score_lines(tmp_path / "subjects-key.json", path)


def test_pictures_to_choose_from_may_have_any_shape(tmp_path):
    choices = [picture(5)[:20], picture(6)[:, :9], *(picture(number) for number in range(4))]
    write_sheets([question(1, choices)], tmp_path, title="subjects")
    assert json.loads((tmp_path / "subjects-key.json").read_text())[0]["right"] in "ABCDEF"


def test_candidates_begin_with_the_right_one():
    import random

    others = [[picture(10 * other + number) for number in range(9)] for other in range(1, 8)]
    own = [picture(number) for number in range(9)]
    subject = Subject(
        name="cat", kind="object", keyword="mimochi", class_word="cat", pictures=own, others=others
    )
    candidates = subject.candidates(random.Random(1))
    assert len(candidates) == 6
    assert any(np.array_equal(candidates[0], one) for one in own)
    style = Subject(
        name="s", kind="style", keyword="mimochi", class_word="icon", pictures=own, others=others[:5]
    )
    assert [sheet.shape for sheet in style.candidates(random.Random(1))] == [(240, 240, 3)] * 6
    assert all("mimochi" in prompt for prompt in subject.prompts + style.prompts)


def test_mascots_keep_their_design_and_change_their_pose():
    one, again, other = draw_mascot(MASCOTS[0], 1), draw_mascot(MASCOTS[0], 1), draw_mascot(MASCOTS[0], 2)
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)
    assert one.shape == (256, 256, 3)


def test_copies_are_nearer_than_training_pictures_are_to_each_other():
    training = np.stack([picture(number, side=64) for number in range(6)])
    faint = np.clip(training[2].astype(int) + 3, 0, 255).astype(np.uint8)
    copies = find_copies([faint, picture(50, side=64)], training)
    assert copies.is_copy.tolist()[0] is True
    assert copies.distance[0] < 0.1 < copies.distance[1]
    assert levels_apart([training[0]], [training[0]]).tolist() == [0]


def test_of_photographs_held_out_some_count_as_copies_and_duplicates_are_what_nearly_is_the_same():
    training = np.stack([picture(number // 2, side=64) for number in range(6)])
    training[::2] = 255 - training[::2] // 2
    assert hold_out(training).is_copy.shape == (6,)
    smooth = np.stack(
        [np.asarray(Image.fromarray(picture(number, side=8)).resize((64, 64))) for number in range(6)]
    )
    planted = planted_copies(smooth)
    assert find_duplicates(planted, smooth).all()
    assert not find_duplicates([picture(50, side=64)], smooth).any()
    assert hold_out(np.stack([*smooth, *planted])).distance.max() < 0.5
