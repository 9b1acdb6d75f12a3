"""What versions take and give, and which fit each other."""

import json

import pytest
from django.core.files.storage import default_storage

from catalog.exceptions import BrokenModelError
from catalog.kinds import inputs_of, is_runnable, kinds_of, link, outputs_of
from catalog.models import CatalogModel, ModelPicture, ModelVersion
from catalog.services.seed import seed_starters
from engines.onnx.ports import Input, Output
from tests.catalog.onnx_models import publish_doubler


def test_families_have_kinds_without_telling(version):
    assert [port.name for port in inputs_of(version)] == ["seed", "truncation_psi"]
    assert [port.kind for port in outputs_of(version)] == ["image"]
    assert is_runnable(version)
    for family, kinds in (
        ("stylegan3", (["number"], ["image"])),
        ("text-to-image", (["text"], ["image"])),
        ("lora", (["text"], ["image"])),
        ("unheard-of", ([], [])),
    ):
        assert kinds_of({"family": family}) == kinds


def test_pictures_are_handed_on_before_anything_else():
    number, picture = Output(name="n", kind="number"), Output(name="p", kind="image")
    takes = [Input(name="amount", kind="number"), Input(name="photo", kind="image")]
    joint = link([number, picture], takes)
    assert joint is not None
    assert (joint[0].name, joint[1].name) == ("p", "photo")
    assert link([number], takes[:1]) is not None
    assert link([picture], takes[:1]) is None
    assert link([Output(name="l", kind="labels")], takes) is None


def test_a_model_that_takes_two_pictures_is_not_run_here(version):
    inputs = [{"name": name, "kind": "image"} for name in ("first", "second")]
    manifest = {"family": "onnx", "inputs": inputs, "outputs": [{"name": "out", "kind": "image"}]}
    assert not is_runnable(ModelVersion(manifest=manifest))


def test_a_manifest_that_cannot_be_is_not_published(owner, licences, tmp_path, monkeypatch):
    write = json.dumps

    def spoiled(values, *arguments, **options):
        return write({**values, "inputs": [{"name": "picture", "kind": "smell"}]}, *arguments, **options)

    monkeypatch.setattr(json, "dumps", spoiled)
    with pytest.raises(BrokenModelError, match="kind"):
        publish_doubler(owner, tmp_path / "doubler")


def test_models_of_each_type_come_with_the_studio(licences):
    seed_starters()
    shipped = {model.name: model for model in CatalogModel.objects.filter(is_starter=True)}
    assert {model.type for model in shipped.values()} == {"extract", "generate", "transform"}
    enlarge, tell = shipped["enlarge-2x"], shipped["what-does-it-show"]
    assert (enlarge.input_kinds, enlarge.output_kinds) == (["image"], ["image"])
    assert (tell.input_kinds, tell.output_kinds) == (["image"], ["labels"])
    for model in (enlarge, tell):
        assert is_runnable(model.latest_version)
        assert model.latest_version.parameters
        assert model.known_limits
        assert model.training_data
        assert model.attributions.count() >= 3
        first = model.pictures.first()
        assert first.caption
        assert default_storage.exists(first.file)
    assert ModelPicture.objects.count() == 4
    seed_starters()
    assert ModelPicture.objects.count() == 4
