"""What people who judge blind are shown, and how many they got right.

python -m bench.judging captions --base BASE --out DIR
python -m bench.judging subjects --base BASE --images DIR --out DIR [--only NAME ...]
python -m bench.judging score --key DIR/captions-key.json --answers DIR/captions-answers.csv

`captions` makes the fifty judging prompts of the starter and writes pages on which each picture has four
captions. `subjects` trains a LoRA for each of six photographed subjects, a drawn mascot and a style, and
writes pages on which each sample has six candidates. It prints which samples count as copies of a training
picture, beside it how many of the base's own pictures of the same prompts would (by chance: the base never
saw the training pictures) and how many of the training pictures themselves, held against the others (held
out: what the rule makes of a new photograph); which samples are duplicates as the studio finds them in
datasets, and of how many planted ones it finds; and how far each LoRA moves what its base makes of twenty
prompts without the keyword.
Trainings can be interrupted; the next call goes on. Pages hold no names. See docs/diffusion.md.
"""

import argparse
import random
from collections.abc import Sequence
from pathlib import Path

from bench.work.judging.distances import (
    Copies,
    Figures,
    as_json,
    find_copies,
    find_duplicates,
    hold_out,
    levels_apart,
    planted_copies,
    table,
)
from bench.work.judging.making import Maker, set_threads, squares, train_subject
from bench.work.judging.scores import COPY, score_lines
from bench.work.judging.sheets import Question, write_sheets
from bench.work.judging.subjects import Subject, read_subjects
from engines.images import UInt8Array
from engines.starters.text_to_image.prompts import judged

_DRIFT_PROMPTS = 20


def main() -> None:
    """Run one command."""
    options = _parser().parse_args()
    options.command(options)


def _captions(options: argparse.Namespace) -> None:
    set_threads(options.threads)
    asked = judged()[: options.first]
    pictures = Maker(options.base, steps=options.sample_steps).make([item.prompt for item in asked])
    questions = [
        Question(
            picture=picture,
            choices=(item.prompt, *item.others),
            group="never together" if item.never_together else "seen together",
            name=item.prompt,
        )
        for item, picture in zip(asked, pictures, strict=True)
    ]
    write_sheets(questions, options.out, title="captions", seed=options.seed)
    print(f"{len(questions)} questions in {options.out}: give away captions-*.png and captions-answers.csv.")


def _subjects(options: argparse.Namespace) -> None:
    set_threads(options.threads)
    subjects = read_subjects(options.images, options.only)
    trained = [
        train_subject(
            subject,
            options.base,
            options.out / "work" / subject.name,
            threads=options.threads,
            steps=options.steps,
        )
        for subject in subjects
    ]
    maker = Maker(options.base, steps=options.sample_steps)
    plain_prompts = [item.prompt for item in judged()[:_DRIFT_PROMPTS]]
    plain = maker.make(plain_prompts)
    questions, figures = [], {}
    for subject, learned in zip(subjects, trained, strict=True):
        samples = maker.make(subject.prompts, learned.file)
        training = squares(subject.pictures, maker.side)
        copies = find_copies(samples, training)
        by_chance = find_copies(maker.make(subject.plain_prompts), training)
        drift = levels_apart(plain, maker.make(plain_prompts, learned.file))
        questions += _questions(subject, samples, copies, options.seed)
        figures[subject.name] = Figures(
            minutes=learned.minutes,
            copies=copies,
            by_chance=by_chance,
            held_out=hold_out(training),
            duplicates=find_duplicates(samples, training),
            planted=find_duplicates(planted_copies(training), training),
            drift=drift,
        )
    print("\n".join(table(figures, plain=levels_apart(plain, plain[1:] + plain[:1]).mean())))
    write_sheets(questions, options.out, title="subjects", seed=options.seed)
    (options.out / "subjects-figures.json").write_text(as_json(figures), encoding="utf-8")
    print(f"{len(questions)} questions in {options.out}: give away subjects-*.png and subjects-answers.csv.")


def _questions(subject: Subject, samples: Sequence[UInt8Array], copies: Copies, seed: int) -> list[Question]:
    chance = random.Random(f"{seed} {subject.name}")
    return [
        Question(
            picture=sample,
            choices=subject.candidates(chance),
            group=subject.name,
            name=prompt + COPY if is_copy else prompt,
        )
        for sample, prompt, is_copy in zip(samples, subject.prompts, copies.is_copy, strict=True)
    ]


def _score(options: argparse.Namespace) -> None:
    print("\n".join(score_lines(options.key, options.answers)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--base", type=Path, required=True, help="a base's diffusers folder")
    common.add_argument("--out", type=Path, required=True, help="where pages, keys and trainings go")
    common.add_argument("--seed", type=int, default=0, help="orders questions and choices")
    common.add_argument("--threads", type=int, default=1)
    common.add_argument(
        "--sample-steps", type=int, default=None, help="of each picture; the base's own if none"
    )

    captions = commands.add_parser("captions", parents=[common], help="pages with four captions a picture")
    captions.add_argument("--first", type=int, default=None, help="only so many prompts, to try")
    captions.set_defaults(command=_captions)

    subjects = commands.add_parser("subjects", parents=[common], help="pages with six candidates a sample")
    subjects.add_argument("--images", type=Path, required=True, help="photographs and drawing sets")
    subjects.add_argument("--only", nargs="*", default=[], help="names of subjects")
    subjects.add_argument("--steps", type=int, default=None, help="of each training; the preset's if none")
    subjects.set_defaults(command=_subjects)

    score = commands.add_parser("score", help="count the right answers")
    score.add_argument("--key", type=Path, required=True)
    score.add_argument("--answers", type=Path, required=True)
    score.set_defaults(command=_score)
    return parser


if __name__ == "__main__":
    main()
