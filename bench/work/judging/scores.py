"""Counting the right answers of somebody who judged blind."""

from collections.abc import Iterator
from pathlib import Path

from bench.work.judging.sheets import Answer, read_answers, read_key

COPY = " (copy)"  # how a key's name ends where the sample is a copy of a training picture


def score_lines(key_file: Path, answers_file: Path) -> list[str]:
    """Return one line for each group and one for all: right of how many, where a copy counts as wrong.

    Behind it how many were right when copies count as any other sample.

    Raises ValueError where answers are missing or name no question.
    """
    key, given = read_key(key_file), read_answers(answers_file)
    strange = sorted(given.keys() ^ {answer.item for answer in key})
    if strange:
        raise ValueError(
            f"The answers and the key differ in {len(strange)} numbers, the first is {strange[0]}."
        )
    groups = list(dict.fromkeys(answer.group for answer in key))
    lines = [_line(group, [one for one in key if one.group == group], given) for group in sorted(groups)]
    return [*lines, _line("all", key, given), *_mistakes(key, given)]


def _line(name: str, some: list[Answer], given: dict[int, str]) -> str:
    right = [one for one in some if given[one.item] == one.right]
    new = [one for one in right if not one.name.endswith(COPY)]
    return (
        f"{name:16} {len(new):3d} of {len(some):3d}  {100 * len(new) / len(some):5.1f} %"
        f"   ({len(right)} with copies)"
    )


def _mistakes(key: list[Answer], given: dict[int, str]) -> Iterator[str]:
    for one in key:
        if given[one.item] != one.right:
            yield f"  {one.item:3d}: {given[one.item]} instead of {one.right}, {one.group}: {one.name}"
