"""The directory with many models and with few, in turns."""

import random
import statistics
import time
import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import psutil
from django.conf import settings
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from bench.work.figures import ratio
from catalog.models import Attribution, CatalogModel, Licence, ModelVersion, Source, Visibility
from catalog.services.seed import seed_licences
from config import assets

LARGE, SMALL = 10_000, 40
_BATCH = 1_000
_PUBLISHERS = 200
_THINGS = (
    "faces", "flowers", "landscapes", "cats", "maps", "letters", "birds", "houses", "shells", "clouds",
    "portraits", "trees", "coins", "textiles", "insects", "ships",
)  # fmt: skip
_MANNERS = ("drawn", "painted", "photographed", "engraved", "pixelled", "woven", "printed", "carved")
_TYPES = (
    (CatalogModel.Type.GENERATE, "stylegan2", ["number"], ["image"]),
    (CatalogModel.Type.GENERATE, "lora", ["text"], ["image"]),
    (CatalogModel.Type.EXTRACT, "onnx", ["image"], ["labels", "boxes"]),
    (CatalogModel.Type.TRANSFORM, "onnx", ["image", "number"], ["image"]),
)
_TEXT = (
    "It was made for {manner} {thing} and knows them in every light. What it has not seen it cannot make. "
    "Start with the middle settings, then change one at a time and compare. "
) * 6

PAGES = {
    "catalog_all": "",
    "catalog_word": "?q=flow",
    "catalog_filtered": "?q=flowers&type=generate&sell=outputs&gives=image",
    "catalog_used": "?sort=used",
    "catalog_nothing": "?q=flwoers",
}


@dataclass(frozen=True, kw_only=True)
class Taken:
    """What an answer took, in milliseconds: work of processors (mean), and until it was there (median).

    Where the machine is shared the second says little.
    """

    busy: float
    passed: float


def catalog_pages(*, rounds: int) -> list[str]:
    """Ask for each page of the directory with many models; count its queries."""
    assets.collect_when_changed()
    seed_licences()
    client = Client(headers={"host": settings.ALLOWED_HOSTS[0]})
    times: dict[str, dict[int, Taken]] = {name: {} for name in PAGES}
    asked: dict[str, int] = {}
    for total in (SMALL, LARGE):
        _fill(total)
        for name, query in PAGES.items():
            url = reverse("catalog:model_browse") + query
            asked[name] = _queries(client, url)
            times[name][total] = _measure(client, url, rounds)
    figures = []
    for name, taken in times.items():
        large, small = taken[LARGE], taken[SMALL]
        print(
            f"{name:18} {large.busy:6.1f} ms of work, {large.passed:7.1f} ms until the answer at {LARGE:,}; "
            f"{small.busy:6.1f} ms, {small.passed:7.1f} ms at {SMALL}; {asked[name]} queries"
        )
        figures.append(ratio(name, large.busy, small.busy, "ms of work"))
    return figures


def _fill(total: int) -> None:
    """Bring the catalog to so many public models, each with a version, as publishing leaves them."""
    numbers = random.Random(0)  # the same catalog each time
    publishers = _publishers()
    licences = list(Licence.objects.filter(slug__in=["mit", "cc0-1.0", "cc-by-nc-4.0", "apache-2.0"]))
    begin = CatalogModel.objects.count()
    for start in range(begin, total, _BATCH):
        models = [_model(number, publishers, numbers) for number in range(start, min(total, start + _BATCH))]
        CatalogModel.objects.bulk_create(models)
        _add_versions(models, licences)
        Attribution.objects.bulk_create(
            Attribution(model=model, name=f"Studio {model.name[:3]}", role="trained it")
            for model in models[::3]
        )
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")  # what the database does by itself a minute later


def _publishers() -> list[User]:
    for number in range(User.objects.count(), _PUBLISHERS):
        User.objects.create(
            email=f"p{number}@example.org", handle=f"publisher-{number}", display_name=f"Publisher {number}"
        )
    return list(User.objects.order_by("handle"))


def _model(number: int, publishers: list[User], numbers: random.Random) -> CatalogModel:
    thing, manner = numbers.choice(_THINGS), numbers.choice(_MANNERS)
    kind, family, inputs, outputs = numbers.choice(_TYPES)
    return CatalogModel(
        owner=publishers[int(len(publishers) * numbers.random() ** 2)],
        name=f"{manner}-{thing}-{number}",
        title=f"{manner.capitalize()} {thing} {number}",
        tagline=f"{manner.capitalize()} {thing} for whoever needs them",
        description=_TEXT.format(manner=manner, thing=thing),
        training_data=f"{numbers.randint(50, 5000)} pictures of {thing}.",
        type=kind,
        family=family,
        visibility=Visibility.PUBLIC,
        keywords=sorted({thing, manner, f"set-{numbers.randint(0, 400)}"}),
        input_kinds=inputs,
        output_kinds=outputs,
        outputs_commercial=numbers.random() < 0.6,
        use_count=int(1000 * numbers.random() ** 4),
        created_at=timezone.now() - timedelta(minutes=number),
    )


def _add_versions(models: list[CatalogModel], licences: list[Licence]) -> None:
    sources = [
        Source(kind=Source.Kind.MODEL, label=model.title, sha256=uuid.uuid4().hex * 2, licence=licences[0])
        for model in models
    ]
    Source.objects.bulk_create(sources)
    ModelVersion.objects.bulk_create(
        ModelVersion(
            model=model,
            number=1,
            sha256=source.sha256,
            manifest={"family": model.family, "files": {}},
            resolution=64,
            size_bytes=20_000_000,
            licence=licences[number % len(licences)],
            source=source,
        )
        for number, (model, source) in enumerate(zip(models, sources, strict=True))
    )


def _queries(client: Client, url: str) -> int:
    asked = 0

    def count(execute: Any, *arguments: Any) -> Any:
        nonlocal asked
        asked += 1
        return execute(*arguments)

    with connection.execute_wrapper(count):
        client.get(url)
    return asked


def _measure(client: Client, url: str, rounds: int) -> Taken:
    passed: list[float] = []
    backend = psutil.Process(connection.connection.info.backend_pid)
    begin = _worked(backend)
    for _round in range(rounds):
        asked_at = time.perf_counter()
        response = client.get(url)
        assert response.status_code == 200, response.status_code
        passed.append(1000 * (time.perf_counter() - asked_at))
    return Taken(busy=1000 * (_worked(backend) - begin) / rounds, passed=statistics.median(passed))


def _worked(backend: psutil.Process) -> float:
    """Seconds that processors have worked for this process and for its part of the database."""
    times = backend.cpu_times()
    return time.process_time() + float(times.user + times.system)
