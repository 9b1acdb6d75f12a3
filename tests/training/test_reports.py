"""What the report of a dataset says, live and frozen."""

import json

import pytest

from tests.training.conftest import add_picture, fill
from training import reports, tallies
from training.marks import Mark, condition, marks_of, with_marks
from training.models import Dataset, DatasetImage, Purpose

# blur, brightness, contrast of pictures, and the marks that these bring.
MEASURES = {
    "sharp": ((0.2, 0.5, 0.3), []),
    "blurred": ((0.7, 0.5, 0.3), [Mark.BLURRED]),
    "dark": ((0.2, 0.1, 0.1), [Mark.DARK]),
    "night with lights": ((0.2, 0.1, 0.2), []),
    "washed out": ((0.2, 0.9, 0.1), [Mark.BRIGHT]),
    "before white": ((0.2, 0.9, 0.2), []),
    "pale": ((0.2, 0.5, 0.05), [Mark.FLAT]),
    "everything": ((0.7, 0.1, 0.05), [Mark.BLURRED, Mark.DARK, Mark.FLAT]),
}


@pytest.fixture
def marked(make_dataset, owner) -> Dataset:
    """A dataset with one picture of each kind, a small one, a long one and two that are alike."""
    dataset = make_dataset(owner)
    for seed, (name, (measures, _marks)) in enumerate(MEASURES.items()):
        image = add_picture(dataset, seed, width=256, height=200)
        measure(image, *measures, name=name)
    measure(add_picture(dataset, 90, width=127, height=200), name="small")
    measure(add_picture(dataset, 91, width=201, height=100 * 2), name="square")
    measure(add_picture(dataset, 92, width=500, height=200), name="long")
    group = dataset.pk
    for seed in (93, 94):
        image = add_picture(dataset, seed, width=256, height=200)
        measure(image, name="twin")
        DatasetImage.objects.filter(pk=image.pk).update(likeness_group=group)
    tallies.recount(dataset)
    return dataset


def measure(image: DatasetImage, blur=0.2, brightness=0.5, contrast=0.3, *, name: str) -> None:
    figures = {"blur": blur, "brightness": brightness, "contrast": contrast}
    shares = {"black_share": 0.0, "white_share": 0.0}
    DatasetImage.objects.filter(pk=image.pk).update(name=name, **figures, **shares)


def line_of(report: reports.Report, title: str) -> reports.Line:
    return next(line for line in report.lines if line.title == title)


class TestMarks:
    @pytest.mark.parametrize("name", MEASURES)
    def test_measures_bring_marks(self, marked, name):
        image = with_marks(marked.images, marked.purpose).get(name=name)
        assert marks_of(image) == MEASURES[name][1]

    @pytest.mark.parametrize(
        ("name", "marks"), [("small", [Mark.SMALL]), ("square", []), ("long", [Mark.LONG])]
    )
    def test_sizes_bring_marks(self, marked, name, marks):
        assert marks_of(with_marks(marked.images, marked.purpose).get(name=name)) == marks

    def test_what_is_small_depends_on_the_purpose(self, marked):
        images = with_marks(marked.images, Purpose.STYLE)
        assert all(Mark.SMALL in marks_of(image) for image in images)

    def test_unmeasured_pictures_have_no_marks_of_measures(self, make_dataset, owner):
        dataset = make_dataset(owner, 1)
        assert marks_of(with_marks(dataset.images, dataset.purpose).get()) == [Mark.SMALL]

    @pytest.mark.parametrize("purpose", Purpose)
    def test_the_counts_are_those_of_the_filters(self, marked, purpose):
        """The tallies count in Python what the filters find in the database."""
        marked.purpose = purpose
        counts = reports.counts_of(reports.report_of(marked).figures)
        found = {mark: marked.images.filter(condition(mark, purpose)).count() for mark in Mark}
        assert counts == found

    def test_an_unknown_mark_is_an_error(self):
        with pytest.raises(ValueError, match="dragon"):
            condition("dragon", Purpose.STYLE)


class TestReport:
    def test_one_query(self, marked, django_assert_num_queries):
        with django_assert_num_queries(1):
            reports.report_of(marked)

    def test_near_copies_do_not_count(self, marked):
        usable = line_of(reports.report_of(marked), "Usable pictures")
        assert usable.value == str(marked.picture_count - 1)

    def test_each_line_says_what_to_do(self, marked):
        report = reports.report_of(marked)
        assert [line.title for line in report.lines] == [
            "Usable pictures",
            "Near-copies",
            "Blurred",
            "Badly exposed",
            "Small",
            "Long",
        ]
        assert "keep one of the two" in line_of(report, "Near-copies").sentence
        assert "2 pictures look blurred" in line_of(report, "Blurred").sentence
        assert "2 too dark, 1 washed out, 2 pale" in line_of(report, "Badly exposed").sentence
        assert "fewer than 128 pixels" in line_of(report, "Small").sentence
        assert "choose under Crop" in line_of(report, "Long").sentence

    def test_a_line_leads_to_its_pictures(self, marked):
        report = reports.report_of(marked)
        assert line_of(report, "Blurred").mark == Mark.BLURRED
        assert line_of(report, "Badly exposed").mark in (Mark.DARK, Mark.FLAT)

    def test_without_flaws_there_is_nothing_to_do(self, make_dataset, owner):
        dataset = make_dataset(owner)
        measure(add_picture(dataset, 1, width=300, height=300), name="good")
        tallies.recount(dataset)
        lines = reports.report_of(dataset).lines[1:]
        assert {(line.level, line.percent, line.mark) for line in lines} == {("good", 0, "")}

    def test_an_empty_dataset_has_only_its_need(self, empty_dataset):
        (line,) = reports.report_of(empty_dataset).lines
        assert (line.level, line.value) == ("poor", "0")
        assert "Add 50 more" in line.sentence

    def test_older_pictures_are_counted_and_not_judged(self, dataset):
        assert [line.title for line in reports.report_of(dataset).lines] == ["Usable pictures", "Near-copies"]

    @pytest.mark.parametrize(
        ("variety", "purpose", "level", "words"),
        [
            (50.0, Purpose.EXPERIMENT, "good", "differ well"),
            (30.0, Purpose.EXPERIMENT, "fair", "other views"),
            (30.0, Purpose.CHARACTER, "fair", "other backgrounds"),
            (10.0, Purpose.STYLE, "poor", "much alike"),
        ],
    )
    def test_variety(self, dataset, monkeypatch, variety, purpose, level, words):
        monkeypatch.setattr(tallies, "variety", lambda _counted: variety)
        dataset.purpose = purpose
        line = line_of(reports.report_of(dataset), "Variety")
        assert line.level == level
        assert words in line.sentence

    def test_bars_show_the_spread(self, marked):
        bars = line_of(reports.report_of(marked), "Small").bars
        assert [bar.height for bar in bars if bar.height] == [2, 24]
        assert bars[2].label.startswith("128 to 255 pixels: ")
        assert all(bar.top + bar.height == 24 for bar in bars)


class TestFrozen:
    def test_says_later_what_it_said(self, marked):
        kept = json.loads(json.dumps(reports.freeze(marked)))
        report = reports.report_of(marked)
        fill(marked, 3, first=500)
        tallies.recount(marked)
        assert reports.thaw(kept) == report != reports.report_of(marked)

    def test_versions_from_before_have_none(self):
        assert reports.thaw({}) is None
