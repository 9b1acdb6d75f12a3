"""Pictures that arrive, and bare Pillow doing the same to their pixels."""

import hashlib
import io
import random
import resource
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from django.core.files.base import ContentFile
from PIL import Image, ImageOps

from accounts.models import User
from bench.work.figures import ratio
from catalog.models import Licence
from catalog.services.seed import seed_licences
from engines.likeness import picture_print
from jobs.testing import run_pending
from training import services, tallies
from training.files import SMALL_SIDE
from training.ingest import KEPT_SHORTER_SIDE, THUMBNAIL_SIDE
from training.models import Dataset, DatasetImage, PicturePrint

_PHOTO = (4000, 3000)
_ENDINGS = {".jpg", ".jpeg", ".png", ".webp"}
_SEED = 7
_SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)  # of the photographs, after which the memory is told


def rate(images: Path, *, count: int, block: int) -> list[str]:
    """Let photographs arrive in blocks, in turns with bare Pillow. Seconds for each, medians of the blocks.

    Each block is made when its turn comes and stays in memory; on disk is only what the studio keeps, about
    2 MB of each.
    """
    dataset = _empty_dataset("photographs")
    blocks: list[tuple[float, float]] = []
    memory = []
    for contents in _in_blocks(_photographs(images, count), block):
        begin = time.perf_counter()
        for content in contents:
            _bare(content)
        bare = time.perf_counter() - begin
        blocks.append((_seconds(_arrive, dataset, contents), bare))
        memory.append(_peak())
    dataset.refresh_from_db()
    ours, bare = (statistics.median(taken) / block for taken in zip(*blocks, strict=True))
    print(
        f"\n{dataset.picture_count} photographs of 12 megapixels kept, seconds for each (medians of blocks)"
    )
    print(f"  checked and kept  {ours:7.3f}")
    print(f"  bare Pillow       {bare:7.3f}")
    for share in _SHARES:
        done = round(share * (len(memory) - 1))
        print(f"  peak memory       {memory[done]:7.0f} MB after {(done + 1) * block:,}")
    return [ratio("ingest_rate", ours, bare, "s"), ratio("ingest_memory", memory[-1], memory[0], "MB")]


def growth(*, there: int, rounds: int, batch: int) -> list[str]:
    """Let batches arrive in a dataset that has pictures, in turns with an empty one. Seconds for a batch."""
    large = _empty_dataset("many small pictures")
    _fill(large, there)
    taken = []
    memory = []
    for contents in _in_blocks(_small_pictures(rounds * batch), batch):
        taken.append(
            (_seconds(_arrive, large, contents), _seconds(_arrive, _empty_dataset("empty"), contents))
        )
        memory.append(_peak())
    full, empty = (statistics.median(seconds) for seconds in zip(*taken, strict=True))
    print(f"\nBatches of {batch} small pictures, each its own job; seconds for a batch, medians")
    print(f"  beside {there:6,} pictures  {full:7.2f}")
    print(f"  in an empty dataset    {empty:7.2f}")
    print(f"  peak memory            {memory[-1]:.0f} MB")
    return [ratio("ingest_growth", full, empty, "s")]


def _fill(dataset: Dataset, count: int) -> None:
    """Rows and prints as the job leaves them; nothing reads the files."""
    images = []
    for number, content in enumerate(_small_pictures(count, seed=_SEED + 1)):
        with Image.open(io.BytesIO(content)) as opened:
            pixels = picture_print(opened.convert("RGB")).tobytes()
        sha256 = hashlib.sha256(content).hexdigest()
        image = DatasetImage(
            dataset=dataset,
            name=f"{number}.jpg",
            upload_sha256=sha256,
            sha256=sha256,
            width=96,
            height=96,
            size_bytes=len(content),
        )
        image.print = PicturePrint(image=image, pixels=pixels)
        images.append(image)
    DatasetImage.objects.bulk_create(images, batch_size=1000)
    PicturePrint.objects.bulk_create([image.print for image in images], batch_size=1000)
    Dataset.objects.filter(pk=dataset.pk).update(picture_count=count)
    tallies.recount(dataset)


def _empty_dataset(name: str) -> Dataset:
    seed_licences()
    owner, _is_new = User.objects.get_or_create(email="bench@example.org", handle="bench")
    return services.create_dataset(owner=owner, name=name, licence=Licence.objects.get(slug="own-work"))


def _arrive(dataset: Dataset, contents: list[bytes]) -> None:
    arrived = [ContentFile(content, name=f"{number}.jpg") for number, content in enumerate(contents)]
    dataset.refresh_from_db()
    services.add_files(dataset=dataset, arrived=arrived)
    run_pending("light")


def _bare(content: bytes) -> None:
    image = Image.open(io.BytesIO(content))
    image.load()
    ImageOps.exif_transpose(image, in_place=True)
    scale = KEPT_SHORTER_SIDE / min(image.size)
    size = (round(image.width * scale), round(image.height * scale))
    kept = image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    kept.save(io.BytesIO(), format="JPEG", quality=95, subsampling=0)
    for side in (THUMBNAIL_SIDE, SMALL_SIDE):
        kept.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=3.0)
        kept.save(io.BytesIO(), format="WEBP", quality=82, method=2)


def _photographs(folder: Path, count: int) -> Iterator[bytes]:
    """Different parts of the folder's photographs, upright or mirrored, each at 12 megapixels."""
    files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in _ENDINGS)
    if not files:
        raise SystemExit(f"There are no photographs in {folder}. Name a folder that has some.")
    chance = random.Random(_SEED)
    for number in range(count):
        with Image.open(files[number % len(files)]) as opened:
            whole = ImageOps.fit(opened.convert("RGB"), (800, 600))
        share = chance.uniform(0.5, 1.0)
        left, upper = (chance.uniform(0, 1 - share) * length for length in whole.size)
        box = (left, upper, left + share * whole.width, upper + share * whole.height)
        part = whole.resize(_PHOTO, Image.Resampling.BICUBIC, box=box)
        buffer = io.BytesIO()
        (ImageOps.mirror(part) if chance.random() < 0.5 else part).save(buffer, format="JPEG", quality=92)
        yield buffer.getvalue()


def _small_pictures(count: int, seed: int = _SEED) -> Iterator[bytes]:
    chance = np.random.default_rng(seed)
    for _number in range(count):
        cells = Image.fromarray(chance.integers(0, 256, (6, 6, 3), dtype=np.uint8))
        buffer = io.BytesIO()
        cells.resize((96, 96), Image.Resampling.BICUBIC).save(buffer, format="JPEG")
        yield buffer.getvalue()


def _in_blocks(contents: Iterator[bytes], size: int) -> Iterator[list[bytes]]:
    block: list[bytes] = []
    for content in contents:
        block.append(content)
        if len(block) == size:
            yield block
            block = []


def _seconds(work: Callable[[Dataset, list[bytes]], None], dataset: Dataset, contents: list[bytes]) -> float:
    begin = time.perf_counter()
    work(dataset, contents)
    return time.perf_counter() - begin


def _peak() -> float:
    """The most memory that this process has ever had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
