import numpy as np
import pytest
import torch

from engines.checkpoint import load_tensors, write_model
from engines.errors import ConfigError, ModelError
from engines.manifest import (
    DISCRIMINATOR_FILE,
    GENERATOR_FILE,
    STYLEGAN2,
    STYLEGAN3,
    ModelInfo,
    read_model_info,
    verify_files,
)
from engines.stylegan.config import Architecture
from engines.stylegan.mix import ModelPair
from engines.stylegan.networks import Discriminator, Generator
from engines.stylegan.relatives import Kinship, MixConfig, check_mixable, kinship

from .conftest import TINY

DATASET = {"kind": "dataset", "sha256": "d" * 64}


def parent(digest):
    return {"kind": "model", "sha256": digest * 64}


def info_of(digest, *lineage, **values):
    given = {"family": STYLEGAN2, "architecture": TINY.as_dict(), **values}
    return ModelInfo(files={GENERATOR_FILE: digest * 64}, lineage=lineage, **given)


def write_tiny(folder, *, seed, discriminator=True, **values):
    folder.mkdir()
    torch.manual_seed(seed)
    networks = {GENERATOR_FILE: Generator(TINY).state_dict()}
    if discriminator:
        networks[DISCRIMINATOR_FILE] = Discriminator(TINY).state_dict()
    write_model(folder, ModelInfo(family=STYLEGAN2, architecture=TINY.as_dict(), **values), networks)
    return folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    first = write_tiny(
        folder / "a", seed=1, name="A", licence="MIT", nimg=500, lineage=(DATASET, parent("f"))
    )
    second = write_tiny(folder / "b", seed=2, name="B", licence="CC-BY-4.0", lineage=(parent("f"),))
    return first, second


def test_relatives_are_told_by_their_lineage():
    child = info_of("c", DATASET, parent("a"))
    assert kinship(info_of("a"), info_of("a")) is Kinship.SAME
    assert kinship(info_of("a"), child) is kinship(child, info_of("a")) is Kinship.DESCENDANT
    assert kinship(child, info_of("e", parent("a"))) is Kinship.SIBLINGS
    assert kinship(child, info_of("e", DATASET)) is Kinship.STRANGERS


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (
            info_of("b", architecture=Architecture(resolution=32, z_dim=8, w_dim=8).as_dict()),
            "resolution 16 and 32",
        ),
        (info_of("b", family=STYLEGAN3), "Only StyleGAN2"),
        (info_of("a"), "same model twice"),
    ],
)
def test_models_that_do_not_fit_are_refused_with_the_reason(other, message):
    with pytest.raises(ModelError, match=message):
        check_mixable(info_of("a"), other)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"method": "sum"}, "average"),
        ({"share": 1.5}, "from 0 to 1"),
        ({"share": float("nan")}, "from 0 to 1"),
        ({"swap": 12}, "4, 8, 16"),
        ({"sharpness": 0.0}, "sharpness"),
    ],
)
def test_impossible_mixes_are_refused(values, message):
    with pytest.raises(ConfigError, match=message):
        MixConfig(**values)


def test_a_blend_goes_over_from_one_to_the_other_by_resolution():
    weights = [MixConfig(method="blend", swap=16).weight(side) for side in (4, 8, 16, 32)]
    assert weights == sorted(weights)
    assert weights[0] < 0.01
    assert weights[1] + weights[2] == pytest.approx(1.0)
    assert weights[3] > 0.99


def test_an_average_is_the_average_of_all_weights_but_noise(folders, tmp_path):
    ModelPair(*folders).write(tmp_path / "mix", MixConfig(share=0.25))
    for file in (GENERATOR_FILE, DISCRIMINATOR_FILE):
        a, b, mix = (load_tensors(folder / file) for folder in (*folders, tmp_path / "mix"))
        assert mix.keys() == a.keys()
        for name in mix.keys() - {"mapping.w_avg"}:
            expected = a[name] if "noise_const" in name else 0.75 * a[name] + 0.25 * b[name]
            assert torch.allclose(mix[name], expected, atol=1e-4), name


def test_a_blend_has_shapes_of_the_first_and_looks_of_the_second(folders, tmp_path):
    ModelPair(*folders).write(tmp_path / "mix", MixConfig(method="blend", swap=8, sharpness=20.0))
    a, b, mix = (load_tensors(folder / GENERATOR_FILE) for folder in (*folders, tmp_path / "mix"))
    for name, source in (
        ("mapping.fc0.weight", a),
        ("synthesis.b4.conv1.weight", a),
        ("synthesis.b8.conv0.weight", b),
        ("synthesis.b16.torgb.bias", b),
        ("synthesis.b16.conv1.noise_const", b),
    ):
        assert (mix[name] - source[name]).norm() < 0.01 * source[name].norm() + 1e-6, name


def test_the_mean_is_that_of_the_mixed_mapping(folders):
    mixed = ModelPair(*folders).generator(MixConfig(share=0.5))
    z = torch.randn(4000, TINY.z_dim, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        w = mixed.mapping(z)
    assert torch.allclose(mixed.w_avg, w.mean(dim=0), atol=4 * float(w.std()) / 4000**0.5)


def test_a_mix_tells_of_both_parents(folders, tmp_path):
    pair = ModelPair(*folders)
    assert pair.kinship is Kinship.SIBLINGS
    config = MixConfig(method="blend")
    pair.write(tmp_path / "mix", config, name="Both")
    info = read_model_info(tmp_path / "mix")
    verify_files(tmp_path / "mix", info)
    assert (info.name, info.nimg, info.licence) == ("Both", 500, "(CC-BY-4.0) AND (MIT)")
    assert [entry["sha256"][:1] for entry in info.lineage[2:]] == ["d", "f"]
    assert [entry["name"] for entry in info.lineage[:2]] == ["A", "B"]
    assert info.lineage[0]["mix"] == {"method": "blend", "swap": 16, "sharpness": 4.0}


def test_the_preview_shows_the_same_seeds_in_both_and_between(folders):
    from engines.stylegan.generate import Generator as Loaded

    rows = ModelPair(*folders).preview([MixConfig(share=0.5)], [3, 4], truncation_psi=1.0)
    assert rows.shape == (3, 2, 16, 16, 3)
    for row, folder in ((rows[0], folders[0]), (rows[2], folders[1])):
        assert np.array_equal(row, Loaded.load(folder).images([3, 4]))
    assert not np.array_equal(rows[0], rows[1])


def test_without_a_discriminator_a_mix_still_makes_images(folders, tmp_path):
    write_tiny(tmp_path / "c", seed=3, discriminator=False)
    pair = ModelPair(folders[0], tmp_path / "c")
    assert not pair.is_trainable
    info = pair.write(tmp_path / "mix", MixConfig())
    assert set(info.files) == {GENERATOR_FILE}


def test_damage_is_noticed(tmp_path, folders):
    folder = write_tiny(tmp_path / "c", seed=3)
    (folder / GENERATOR_FILE).write_bytes(b"damaged")
    with pytest.raises(ModelError, match="damaged"):
        ModelPair(folders[0], folder)
