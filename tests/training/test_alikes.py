"""Pictures that are nearly alike share a group, however they come; what is counted along stays right."""

import io
from uuid import UUID

import pytest
from django.core.files.base import ContentFile
from django.core.management import call_command
from PIL import Image, ImageEnhance, ImageOps

from jobs.testing import run_pending
from tests.training import crafted
from tests.training.conftest import fill
from training import services, tallies
from training.adding import lock_dataset, put_in, store_image
from training.alikes import Alikes
from training.ingest import check_picture
from training.limits import Limits
from training.models import Dataset, PicturePrint


def brighter(image: Image.Image) -> Image.Image:
    return ImageEnhance.Brightness(image).enhance(1.15)


def send(dataset: Dataset, *pictures: Image.Image) -> None:
    arrived = []
    for number, picture in enumerate(pictures):
        buffer = io.BytesIO()
        picture.save(buffer, format="PNG")
        arrived.append(ContentFile(buffer.getvalue(), name=f"{number}.png"))
    services.add_files(dataset=dataset, arrived=arrived)
    run_pending("light")
    dataset.refresh_from_db()


def groups(dataset: Dataset) -> list[UUID | None]:
    """In the order in which the pictures came."""
    return list(dataset.images.order_by("created_at").values_list("likeness_group", flat=True))


def test_pictures_that_are_alike_share_a_group(empty_dataset):
    one, other = crafted.picture(1), crafted.picture(2)
    send(empty_dataset, one, other, brighter(one))
    first, second, third = groups(empty_dataset)
    assert first == third is not None
    assert second is None


def test_a_later_job_knows_what_earlier_ones_added(empty_dataset):
    send(empty_dataset, crafted.picture(1))
    send(empty_dataset, ImageOps.mirror(crafted.picture(1)))
    first, second = groups(empty_dataset)
    assert first == second is not None


def test_a_picture_between_two_groups_joins_them(empty_dataset):
    """What is alike through others is one group."""
    steps = [Image.blend(crafted.picture(1), crafted.picture(2), share) for share in (0.38, 0.62, 0.5)]
    send(empty_dataset, steps[0], brighter(steps[0]), steps[1], brighter(steps[1]))
    before = groups(empty_dataset)
    assert before[0] == before[1] != before[2] == before[3]
    send(empty_dataset, steps[2])
    assert len(set(groups(empty_dataset))) == 1


def test_a_picture_whose_likes_were_removed_is_alone(empty_dataset):
    send(empty_dataset, crafted.picture(1), brighter(crafted.picture(1)))
    services.remove_image(image=empty_dataset.images.first())
    assert groups(empty_dataset) == [None]


def test_without_the_picture_between_them_two_are_not_alike(empty_dataset):
    ends = [Image.blend(crafted.picture(1), crafted.picture(2), share) for share in (0.42, 0.5, 0.58)]
    send(empty_dataset, *ends)
    assert len(set(groups(empty_dataset))) == 1
    services.remove_image(image=empty_dataset.images.get(name="1.png"))
    assert groups(empty_dataset) == [None, None]


def test_a_group_falls_into_its_parts(empty_dataset):
    steps = [Image.blend(crafted.picture(1), crafted.picture(2), share) for share in (0.42, 0.58, 0.5)]
    send(empty_dataset, steps[0], brighter(steps[0]), steps[1], brighter(steps[1]), steps[2])
    before = groups(empty_dataset)
    assert len(set(before)) == 1
    services.remove_image(image=empty_dataset.images.get(name="4.png"))
    one, again, other, anew = groups(empty_dataset)
    assert one == again
    assert other == anew
    assert {one, other} > {before[0]}


def test_a_group_that_stays_together_keeps_its_id(empty_dataset):
    picture = crafted.picture(1)
    send(empty_dataset, picture, brighter(picture), ImageOps.mirror(picture))
    before = groups(empty_dataset)
    services.remove_image(image=empty_dataset.images.get(name="0.png"))
    assert groups(empty_dataset) == before[1:]


def test_what_was_removed_meanwhile_links_nothing(empty_dataset):
    send(empty_dataset, crafted.picture(1))
    services.remove_image(image=empty_dataset.images.get())
    send(empty_dataset, brighter(crafted.picture(1)))
    assert groups(empty_dataset) == [None]


def test_tallies_are_the_same_counted_along_or_anew(empty_dataset):
    send(empty_dataset, *(crafted.picture(seed) for seed in range(5)), crafted.picture(0))
    services.remove_image(image=empty_dataset.images.first())
    empty_dataset.refresh_from_db()
    along = dict(empty_dataset.tallies)
    anew = dict(tallies.recount(empty_dataset))
    assert anew.pop("rev") > along.pop("rev")
    assert anew == along
    assert along["pictures"] == along["measured"] == along["layout"]["count"] == 4
    assert along["duplicates"] == 1


def test_a_sample_is_measured_and_grouped_too(licence, owner):
    dataset = services.create_sample_dataset(owner=owner, family="cats", count=3)
    run_pending("light")
    dataset.refresh_from_db()
    assert dataset.tallies["measured"] == 3
    assert PicturePrint.objects.filter(image__dataset=dataset).count() == 3


class TestMeasuringOlderPictures:
    @pytest.fixture
    def old(self, empty_dataset: Dataset) -> Dataset:
        """A dataset from before pictures were measured; the last two of four are alike."""
        fill(empty_dataset, 2)
        send(empty_dataset, crafted.picture(7), brighter(crafted.picture(7)))
        PicturePrint.objects.all().delete()
        empty_dataset.images.update(blur=None, likeness_group=None)
        Dataset.objects.filter(pk=empty_dataset.pk).update(tallies={})
        return empty_dataset

    def test_fills_what_they_lack(self, old, capsys):
        call_command("measure_pictures")
        assert f"{old.pk}: 4 measured" in capsys.readouterr().out
        old.refresh_from_db()
        assert old.tallies["measured"] == old.tallies["layout"]["count"] == 4
        assert not old.images.filter(blur=None).exists()
        first, second = groups(old)[2:]
        assert first == second is not None

    def test_again_does_nothing(self, old, capsys):
        call_command("measure_pictures")
        call_command("measure_pictures")
        assert f"{old.pk}: 0 measured" in capsys.readouterr().out

    def test_a_file_that_is_missing_is_passed_over(self, old, capsys, caplog):
        old.images.filter(pk=old.images.first().pk).update(file="datasets/nowhere.png")
        call_command("measure_pictures")
        assert "3 measured" in capsys.readouterr().out
        assert "could not be read" in caplog.text


def test_what_another_job_adds_meanwhile_is_known_too(empty_dataset):
    """Two workers fill one dataset in turns."""
    alikes = Alikes(), Alikes()
    limits = Limits()
    for number, picture in enumerate(
        [crafted.picture(1), crafted.picture(2), brighter(crafted.picture(1)), brighter(crafted.picture(2))]
    ):
        content = crafted.encoded(picture)
        image = store_image(empty_dataset.pk, f"{number}.png", "", check_picture(io.BytesIO(content), limits))
        put_in(lock_dataset(empty_dataset.pk), [image], alikes[number in {0, 3}])
    first, second, third, fourth = groups(empty_dataset)
    assert first == third is not None
    assert second == fourth is not None
    assert first != second
