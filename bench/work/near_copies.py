"""Pictures, changed versions of them, and two ways to tell that these belong together."""

import io
import random
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import imagehash
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageEnhance, ImageOps

from bench.work.figures import ratio
from engines.images import load_rgb
from engines.likeness import LikenessIndex, picture_print
from engines.starters.drawings import FAMILIES, draw

_ENDINGS = {".jpg", ".jpeg", ".png", ".webp"}
_SEED = 11
# Bits of 64 by which hashes may differ: ImageHash's users take 5 to 10.
_DISTANCES = (4, 6, 8, 10, 12, 14)


def _resized(image: Image.Image) -> Image.Image:
    return image.resize((max(64, image.width // 3), max(64, image.height // 3)), Image.Resampling.BICUBIC)


def _encoded(image: Image.Image) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=40)
    return Image.open(buffer).convert("RGB")


def _cropped(image: Image.Image) -> Image.Image:
    """Without 5 % at the left and at the upper edge."""
    return image.crop((round(0.05 * image.width), round(0.05 * image.height), image.width, image.height))


CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "resized to a third": _resized,
    "encoded at quality 40": _encoded,
    "cropped by 5 %": _cropped,
    "brighter by 20 %": lambda image: ImageEnhance.Brightness(image).enhance(1.2),
    "darker by 20 %": lambda image: ImageEnhance.Brightness(image).enhance(0.8),
    "mirrored": ImageOps.mirror,
}


@dataclass(frozen=True)
class Found:
    """Of the changed pictures those that were found, for each change; of all other pairs those named."""

    recalls: dict[str, float]
    false_share: float

    @property
    def recall(self) -> float:
        """Over all changes."""
        return sum(self.recalls.values()) / len(self.recalls)


def compare(folder: Path, *, drawings: int) -> list[str]:
    """Print what both find for photographs and for drawings; return the figures."""
    figures = []
    kinds = {"photographs": _photographs(folder), "drawings": _drawings(folder, drawings)}
    # Our own samples: different pictures of one design, which share their layout.
    kinds |= {family: [draw(family, index) for index in range(drawings // 4)] for family in FAMILIES}
    for kind, pictures in kinds.items():
        if len(pictures) > 1:
            figures += _compare_kind(kind, pictures)
    if not figures:
        raise SystemExit(f"There are no pictures in {folder}. Name a folder that has some.")
    return figures


def _compare_kind(kind: str, pictures: Sequence[Image.Image]) -> list[str]:
    begin = time.perf_counter()
    ours = _by_prints(pictures)
    seconds = time.perf_counter() - begin
    baselines = _by_hashes(pictures)
    print(f"\n{len(pictures)} {kind}, {len(CHANGES)} changes of each ({seconds:.1f} s)")
    print(f"  {'':24}{'found':>8}{'false pairs':>14}")
    print(f"  {'prints':24}{ours.recall:8.1%}{ours.false_share:14.3%}")
    for change, recall in ours.recalls.items():
        print(f"    {change:22}{recall:8.1%}")
    for distance, found in baselines.items():
        print(f"  {f'pHash, {distance} of 64 bits':24}{found.recall:8.1%}{found.false_share:14.3%}")
    # The best that the hash does at no more than 1 % false pairs.
    allowed = [found for found in baselines.values() if found.false_share <= 0.01]
    best = max(allowed, key=lambda found: found.recall, default=baselines[_DISTANCES[0]])
    return [
        ratio(f"likeness_recall_{kind}", 100 * ours.recall, 100 * best.recall, "%"),
        ratio(f"likeness_false_{kind}", 100 * ours.false_share, 100 * max(best.false_share, 1e-5), "%"),
    ]


def _by_prints(pictures: Sequence[Image.Image]) -> Found:
    index = LikenessIndex()
    among = len(index.add(np.stack([picture_print(picture) for picture in pictures])))
    recalls = {}
    false = among
    for name, change in CHANGES.items():
        # Each change against the originals alone, as if only this copy had been added.
        index = LikenessIndex(np.stack([picture_print(picture) for picture in pictures]))
        count = len(index)
        hits = 0
        for number, picture in enumerate(pictures):
            pairs = [pair for pair in index.add(picture_print(change(picture))[None]) if pair.first < count]
            hits += any(pair.first == number for pair in pairs)
            false += sum(pair.first != number for pair in pairs)
        recalls[name] = hits / count
    return Found(recalls, false / _other_pairs(len(pictures)))


def _by_hashes(pictures: Sequence[Image.Image]) -> dict[int, Found]:
    """What the hash finds at each of the distances."""
    originals = _hashes(pictures)
    among = _distances(originals, originals)
    changed = {}
    for name, change in CHANGES.items():
        copies = [change(picture) for picture in pictures]
        # A hash does not see a mirrored picture: the mirror image's hash is held against the others too.
        mirrored = _hashes([ImageOps.mirror(copy) for copy in copies])
        changed[name] = np.minimum(_distances(_hashes(copies), originals), _distances(mirrored, originals))
    found = {}
    for distance in _DISTANCES:
        near = {name: distances <= distance for name, distances in changed.items()}
        false = np.triu(among <= distance, 1).sum() + sum(
            one.sum() - one.diagonal().sum() for one in near.values()
        )
        recalls = {name: float(one.diagonal().mean()) for name, one in near.items()}
        found[distance] = Found(recalls, float(false) / _other_pairs(len(pictures)))
    return found


def _other_pairs(count: int) -> int:
    """How many pairs of different pictures were held against each other."""
    return count * (count - 1) // 2 + len(CHANGES) * count * (count - 1)


def _hashes(pictures: Sequence[Image.Image]) -> npt.NDArray[np.bool_]:
    return np.stack([imagehash.phash(picture).hash.ravel() for picture in pictures])


def _distances(one: npt.NDArray[np.bool_], other: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    distances: npt.NDArray[np.int64] = (one[:, None] != other[None]).sum(axis=2)
    return distances


def _photographs(folder: Path) -> list[Image.Image]:
    return [load_rgb(file) for file in sorted(folder.rglob("*")) if file.suffix.lower() in _ENDINGS]


def _drawings(folder: Path, count: int) -> list[Image.Image]:
    """Pictures of the folder's ZIPs, an equal share of each."""
    archives = sorted(folder.rglob("*.zip"))
    chance = random.Random(_SEED)
    return [one for file in archives for one in _sampled(file, count // len(archives), chance)]


def _sampled(file: Path, count: int, chance: random.Random) -> Iterator[Image.Image]:
    with zipfile.ZipFile(file) as archive:
        names = [name for name in sorted(archive.namelist()) if Path(name).suffix.lower() in _ENDINGS]
        for name in chance.sample(names, min(count, len(names))):
            with archive.open(name) as member, Image.open(member) as opened:
                yield _on_white(opened)


def _on_white(opened: Image.Image) -> Image.Image:
    """A drawing before white; one of a single channel is the ink itself."""
    if opened.mode == "L":
        return ImageOps.invert(opened).convert("RGB")
    drawing = opened.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", drawing.size, (255, 255, 255, 255)), drawing).convert(
        "RGB"
    )
