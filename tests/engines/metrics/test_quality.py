import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from engines.metrics import names
from engines.metrics.quality import CACHE_FILE, Reference
from engines.starters.drawings import draw


@pytest.fixture(scope="module")
def more_cats():
    return np.stack([np.asarray(draw("cats", index, 32)) for index in range(100, 132)])


@pytest.fixture
def reference(cats_dataset):
    return Reference.of(cats_dataset, samples=256, mirror=False)


def test_every_figure_has_its_name_its_floor_and_its_count(reference, faces):
    figures = reference.measure(faces)
    references = {figure.reference for figure in names.FIGURES.values()}
    assert figures.keys() == {names.SAMPLES, *names.FIGURES, *references}
    assert figures[names.SAMPLES] == reference.samples == 32
    assert json.loads(json.dumps(figures)) == figures
    assert "FID" not in "".join(figure.title for figure in names.FIGURES.values())


def test_the_same_kind_of_picture_is_nearer_than_another(reference, more_cats, faces):
    same, other = reference.measure(more_cats), reference.measure(faces)
    for key in ("distance", "kernel_distance", "sliced_wasserstein"):
        floor = same[f"{key}_floor"]
        assert abs(same[key] - floor) < abs(other[key] - floor), key


def test_repetition_shows_as_little_variety(reference, cats, more_cats):
    figures = reference.measure(np.repeat(cats[:2], 16, axis=0))
    assert figures["diversity"] < 0.7 * figures["diversity_real"]
    varied = reference.measure(more_cats)
    assert varied["diversity"] == pytest.approx(varied["diversity_real"], rel=0.2)


def test_what_belongs_to_the_pictures_is_worked_out_once(cats_dataset, faces):
    first = Reference.of(cats_dataset, samples=20, mirror=True)
    kept = cats_dataset.path / CACHE_FILE
    written = kept.stat().st_mtime_ns
    second = Reference.of(cats_dataset, samples=20, mirror=True)
    assert kept.stat().st_mtime_ns == written
    assert second.measure(faces[:20]) == first.measure(faces[:20])
    assert [path.name for path in cats_dataset.path.glob("*.part")] == []


def test_another_question_is_worked_out_anew(cats_dataset):
    assert Reference.of(cats_dataset, samples=20, mirror=True).samples == 20
    assert Reference.of(cats_dataset, samples=24, mirror=True).samples == 24
    others = replace(cats_dataset, fingerprint="0" * 64)
    kept = (cats_dataset.path / CACHE_FILE).read_bytes()
    Reference.of(others, samples=24, mirror=True)
    assert (cats_dataset.path / CACHE_FILE).read_bytes() != kept


def test_a_damaged_or_unwritable_cache_does_no_harm(cats_dataset, faces):
    first = Reference.of(cats_dataset, samples=32, mirror=False).measure(faces)
    kept = cats_dataset.path / CACHE_FILE
    kept.write_bytes(kept.read_bytes()[:1000])
    assert Reference.of(cats_dataset, samples=32, mirror=False).measure(faces) == first
    kept.unlink()
    kept.mkdir()
    assert Reference.of(cats_dataset, samples=32, mirror=False).measure(faces) == first


def test_too_few_pictures_give_no_figures(cats_dataset):
    few = replace(cats_dataset, names=cats_dataset.names[:31])
    assert Reference.of(few, samples=256, mirror=False) is None


def test_names_come_without_torch():
    command = "import sys, engines.metrics.names; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", command], check=False).returncode == 0
