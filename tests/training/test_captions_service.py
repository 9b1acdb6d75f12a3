"""Writing captions: one, many by a rule, and those that files bring."""

import uuid

import pytest

from training import captions
from training.caption_files import read_captions
from training.exceptions import CaptionRefused, PicturesMissing
from training.models import Dataset, DatasetImage, Purpose
from training.services.captions import (
    captions_changed_by,
    change_captions,
    import_captions,
    save_caption,
    set_words,
)


@pytest.fixture
def taught(make_dataset, owner) -> Dataset:
    """Three pictures of a character, of which the last has no caption."""
    dataset = make_dataset(owner, 3)
    dataset.purpose, dataset.keyword, dataset.subject = Purpose.CHARACTER, "mimochi", "cat"
    dataset.save()
    texts = ("mimochi cat on a roof", "mimochi cat, “at” night", "")
    for number, (image, caption) in enumerate(zip(dataset.images.order_by("pk"), texts, strict=True)):
        image.name, image.caption = f"{number}.jpg", caption
        image.save()
    return dataset


def texts(dataset: Dataset) -> list[str]:
    return list(dataset.images.order_by("name").values_list("caption", flat=True))


class TestOne:
    def test_gets_the_keyword_when_it_is_kept(self, taught):
        image = taught.images.get(name="2.jpg")
        assert save_caption(image=image, caption="  a cat\r\n").caption == "mimochi cat"
        assert texts(taught)[2] == "mimochi cat"

    def test_may_be_empty(self, taught):
        save_caption(image=taught.images.get(name="0.jpg"), caption=" \n ")
        assert texts(taught)[0] == ""

    def test_too_long_changes_nothing(self, taught):
        with pytest.raises(CaptionRefused):
            save_caption(image=taught.images.get(name="0.jpg"), caption="x" * 2001)
        assert texts(taught)[0] == "mimochi cat on a roof"


class TestWords:
    def test_a_new_keyword_takes_the_old_ones_place(self, taught):
        assert set_words(dataset=taught, keyword="zorblat", subject="cat") == 2
        assert texts(taught) == ["zorblat cat on a roof", "zorblat cat, “at” night", ""]
        taught.refresh_from_db()
        assert (taught.keyword, taught.subject) == ("zorblat", "cat")

    def test_a_first_keyword_is_put_in(self, taught):
        Dataset.objects.update(keyword="")
        taught.images.filter(name="0.jpg").update(caption="a cat on a roof")
        assert set_words(dataset=taught, keyword="mimochi", subject="cat") == 1
        assert texts(taught)[0] == "mimochi cat on a roof"

    def test_one_that_makes_a_caption_too_long_changes_nothing(self, taught):
        taught.images.filter(name="0.jpg").update(caption="mimochi " + "x" * 1990)
        with pytest.raises(CaptionRefused):
            set_words(dataset=taught, keyword="a-much-longer-keyword", subject="cat")
        taught.refresh_from_db()
        assert taught.keyword == "mimochi"
        assert texts(taught)[1] == "mimochi cat, “at” night"

    def test_without_captions_in_training_they_stay(self, taught):
        taught.purpose = Purpose.EXPERIMENT
        taught.save()
        taught.images.filter(name="0.jpg").update(caption="plain")
        set_words(dataset=taught, keyword="mimochi", subject="cat")
        assert texts(taught)[0] == "plain"


class TestMany:
    def test_what_is_shown_first_is_what_is_done(self, taught):
        change = captions.replacement("cat", "dog", whole_words=True)
        shown = captions_changed_by(dataset=taught, change=change)
        assert texts(taught)[0] == "mimochi cat on a roof"
        assert change_captions(dataset=taught, change=change) == len(shown) == 2
        assert texts(taught) == [*(changed.after for changed in shown), ""]

    def test_the_keyword_survives_every_change(self, taught):
        change_captions(dataset=taught, change=captions.replacement("mimochi ", ""))
        assert texts(taught)[:2] == ["mimochi cat on a roof", "mimochi cat, “at” night"]

    def test_only_some(self, taught):
        only = {taught.images.get(name="2.jpg").pk}
        change = captions.filling("photo of {keyword} {class}", keyword="mimochi", subject="cat")
        assert change_captions(dataset=taught, change=change, only=only) == 1
        assert texts(taught)[1:] == ["mimochi cat, “at” night", "photo of mimochi cat"]

    def test_a_foreign_picture_among_them_changes_none(self, taught, make_dataset, stranger):
        foreign = make_dataset(stranger, 1).images.get()
        only = {taught.images.first().pk, foreign.pk}
        for ids in (only, {uuid.uuid4()}):
            with pytest.raises(PicturesMissing):
                change_captions(dataset=taught, change=str.upper, only=ids)
        assert not DatasetImage.objects.filter(caption__contains="ROOF").exists()

    def test_clearing(self, taught):
        assert change_captions(dataset=taught, change=lambda _caption: "") == 2
        assert texts(taught) == ["", "", ""]

    def test_few_statements(self, taught, django_assert_max_num_queries):
        with django_assert_max_num_queries(5):
            change_captions(dataset=taught, change=lambda caption: caption + "!")


class TestImport:
    def test_takes_every_layout_and_tells_what_was_not_taken(self, taught):
        readings = [
            read_captions("0.txt", b"a cat asleep\n"),
            read_captions("m.jsonl", b'{"file_name": "x/1.png", "text": "a cat awake"}\nnonsense'),
            read_captions("m.csv", b"file_name,text\n2.jpg,a cat gone\n9.jpg,nobody\n"),
        ]
        result = import_captions(dataset=taught, readings=readings)
        assert texts(taught) == ["mimochi cat asleep", "mimochi cat awake", "mimochi cat gone"]
        assert result.taken == 3
        assert [problem.where for problem in result.problems] == ["m.jsonl, line 2", "m.csv, line 3"]
        assert "9.jpg" in result.problems[1].reason

    def test_the_last_of_two_counts_and_an_empty_one_clears(self, taught):
        rows = b'{"file_name": "0.jpg", "text": "first"}\n{"file_name": "0.jpg", "text": ""}'
        assert import_captions(dataset=taught, readings=[read_captions("m.jsonl", rows)]).taken == 1
        assert texts(taught)[0] == ""

    def test_few_statements(self, taught, django_assert_max_num_queries):
        with django_assert_max_num_queries(5):
            import_captions(dataset=taught, readings=[read_captions("0.txt", b"a cat")])

    def test_one_that_is_too_long_is_told(self, taught):
        result = import_captions(dataset=taught, readings=[read_captions("0.txt", b"x" * 3000)])
        assert result.taken == 0
        assert "3,000 characters" in result.problems[0].reason
