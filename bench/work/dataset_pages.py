"""The pages of a large dataset and of a small one, in turns."""

import statistics
import time
import uuid
from typing import Any

from django.conf import settings
from django.db import connection
from django.test import Client
from django.urls import reverse

from accounts.models import User
from bench.work.figures import ratio
from catalog.models import Licence
from catalog.services.seed import seed_licences
from config import assets
from training import tallies
from training.models import Dataset, DatasetImage

LARGE, SMALL = 25_000, 60
_BATCH = 1_000
_SIDES = (100, 640, 1024, 3000)
_IN_GROUPS = 10  # of a hundred pictures; two make a group


def dataset_pages(*, rounds: int) -> list[str]:
    """Ask for the page of pictures, for a filtered one and for that of near-copies; count their queries."""
    assets.collect_when_changed()
    seed_licences()
    owner = User.objects.create_user(email="bench@example.org", password=uuid.uuid4().hex, handle="bench")
    client = Client(headers={"host": settings.ALLOWED_HOSTS[0]})
    client.force_login(owner, backend=settings.AUTHENTICATION_BACKENDS[0])
    large, small = _make(owner, LARGE), _make(owner, SMALL)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    pages = {
        "dataset_page": ("training:dataset_detail", ""),
        "dataset_filtered": ("training:dataset_detail", "?show=blurred"),
        "dataset_near_copies": ("training:dataset_groups", ""),
        "dataset_crop": ("training:dataset_crop", ""),
        "dataset_own_crop": ("training:dataset_crop", "?show=own-crop"),
    }
    figures = []
    for name, (address, query) in pages.items():
        ours, baseline = (reverse(address, args=[one.pk]) + query for one in (large, small))
        asked = _queries(client, ours)
        times: dict[str, list[float]] = {ours: [], baseline: []}
        for _round in range(rounds):
            for url, taken in times.items():
                taken.append(_milliseconds(client, url))
        found, held_against = (statistics.median(taken) for taken in times.values())
        print(f"{name:22} {found:7.1f} ms at {LARGE:,}  {held_against:7.1f} ms at {SMALL}  {asked} queries")
        figures.append(ratio(name, found, held_against, "ms"))
    return figures


def _queries(client: Client, url: str) -> int:
    asked = 0

    def count(execute: Any, *arguments: Any) -> Any:
        nonlocal asked
        asked += 1
        return execute(*arguments)

    with connection.execute_wrapper(count):
        client.get(url)
    return asked


def _make(owner: User, count: int) -> Dataset:
    """A dataset with rows as the checks leave them; no page reads the files."""
    dataset: Dataset = Dataset.objects.create(
        owner=owner, name=f"{count:,} pictures", licence=Licence.objects.get(slug="own-work")
    )
    for start in range(0, count, _BATCH):
        numbers = range(start, min(count, start + _BATCH))
        DatasetImage.objects.bulk_create(_row(dataset, number) for number in numbers)
    dataset.picture_count = count
    dataset.save()
    tallies.recount(dataset)
    return dataset


def _row(dataset: Dataset, number: int) -> DatasetImage:
    name = uuid.uuid4().hex
    key = f"datasets/{dataset.pk}/pictures/{name[:2]}/{name}.jpg"
    is_twin = number % 100 < _IN_GROUPS
    return DatasetImage(
        dataset=dataset,
        name=f"picture-{number:05d}.jpg",
        upload_sha256=name * 2,
        sha256=name * 2,
        file=key,
        thumbnail=key.replace("pictures", "thumbnails"),
        width=_SIDES[number % len(_SIDES)],
        height=1024,
        size_bytes=200_000,
        blur=number % 50 / 100,
        brightness=number % 97 / 100,
        contrast=number % 31 / 100,
        black_share=0.0,
        white_share=0.0,
        likeness_group=uuid.uuid5(dataset.pk, str(number // 2)) if is_twin else None,
    )


def _milliseconds(client: Client, url: str) -> float:
    begin = time.perf_counter()
    response = client.get(url)
    assert response.status_code == 200, response.status_code
    return 1000 * (time.perf_counter() - begin)
