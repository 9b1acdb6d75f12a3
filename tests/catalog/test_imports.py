"""Importing a model: looked at, answered, tried out; refused with the reason, and nothing left behind."""

import json
import os
import pickle
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from catalog.exceptions import ImportRefusedError, NameTakenError
from catalog.imports import limits
from catalog.imports.found import known_licence
from catalog.models import CatalogModel, Licence, ModelImport
from catalog.services import answer_import, discard_import, publish_version, start_import
from catalog.services.imports import JOB_KIND, import_folder, keys_in_use
from engines.manifest import MODEL_FILE
from jobs.files import list_keys
from jobs.testing import run_pending
from tests.catalog.bases import publish_tiny_base
from tests.catalog.brought import bundle_of, lora, onnx_zip, safetensors, zip_of, zip_of_folder
from tests.catalog.folders import make_folder


@pytest.fixture
def bring(owner, licences, django_capture_on_commit_callbacks):
    """Return a function that brings a file and has it looked at."""

    def start(name: str, content: bytes) -> ModelImport:
        with django_capture_on_commit_callbacks(execute=True):
            imported = start_import(owner=owner, arrived=ContentFile(content, name))
            run_pending("light")
        imported.refresh_from_db()
        return imported

    return start


@pytest.fixture
def answer(django_capture_on_commit_callbacks):
    """Return a function that answers what was found and has it tried out."""

    def say(imported: ModelImport, **values: object) -> ModelImport:
        said = {
            "title": "Brought",
            "name": "brought",
            "author": "Ada",
            "source_url": "https://example.org/brought",
            "licence": Licence.objects.get(slug="cc-by-4.0"),
            **values,
        }
        with django_capture_on_commit_callbacks(execute=True):
            answer_import(imported=imported, **said)
            run_pending("light")
        imported.refresh_from_db()
        return imported

    return say


def refused(imported: ModelImport, reason: str) -> None:
    """It was refused for this reason, its job failed, and nothing of it is stored."""
    assert imported.stage == "refused", imported.found
    assert reason in imported.refusal
    assert imported.job.state == "failed"
    assert list_keys("imports") == []
    assert not CatalogModel.objects.filter(imports=imported).exists()


@pytest.fixture
def generator_folder(tmp_path):
    """A real, tiny StyleGAN2 model folder."""
    import torch

    from engines.checkpoint import write_model
    from engines.manifest import STYLEGAN2, ModelInfo
    from engines.stylegan.networks import Generator
    from tests.engines.stylegan.test_isolation import SMALL

    torch.manual_seed(1)
    folder = tmp_path / "generator"
    folder.mkdir()
    info = ModelInfo(family=STYLEGAN2, architecture=SMALL.as_dict(), name="tiny")
    write_model(folder, info, {"g_ema.safetensors": Generator(SMALL).state_dict()})
    return folder


def test_a_pickle_of_stylegan_becomes_a_private_model_and_is_deleted(bring, answer, owner, tmp_path):
    """Abuse case 19: real networks, altered source code; the weights convert, the canary is untouched."""
    import torch

    from engines.stylegan.networks import Generator
    from tests.engines.stylegan.nvidia_files import SOURCE, as_module, snapshot, write
    from tests.engines.stylegan.test_isolation import SMALL

    torch.manual_seed(0)
    canary = tmp_path / "canary"
    content = snapshot(Generator(SMALL))
    content["G_ema"] = as_module(Generator(SMALL), f"open({str(canary)!r}, 'w').close()\n{SOURCE}")
    imported = bring("cats.pkl", write(tmp_path / "cats.pkl", content).read_bytes())
    assert (imported.stage, imported.kind) == ("found", "stylegan"), imported.refusal
    assert imported.found["resolution"] == 16
    assert imported.file == ""
    kept = list_keys(import_folder(imported))
    assert {key.rpartition("/")[2] for key in kept} == {"g_ema.safetensors", "g.safetensors", "model.json"}
    imported = answer(imported)
    assert imported.stage == "ready", imported.refusal
    model = imported.model
    version = model.latest_version
    assert (model.owner, model.visibility, model.family) == (owner, "private", "stylegan2")
    assert version.licence_id == "cc-by-4.0"
    assert version.source.attribution == "Brought by Ada (CC-BY-4.0), https://example.org/brought"
    assert [(one.name, one.link) for one in model.attributions.all()] == [
        ("Ada", "https://example.org/brought")
    ]
    assert default_storage.exists(model.pictures.get().file)
    assert list_keys("imports") == []
    assert not canary.exists()


def test_18_a_pickle_that_calls_the_system_is_refused(bring, tmp_path):
    canary = tmp_path / "canary"

    class Attack:
        def __reduce__(self):
            return os.system, (f"touch {canary}",)

    refused(bring("cats.pkl", pickle.dumps({"G_ema": Attack()})), "asks for posix.system")
    assert not canary.exists()


@pytest.mark.parametrize("name", ["builtins eval", "subprocess Popen", "torch.hub load"])
def test_20_a_pickle_that_names_what_is_on_no_list_is_refused(bring, name):
    """Written by hand: it loads the name and stops, and calls nothing."""
    module, attribute = name.split()
    content = b"\x80\x02" + f"c{module}\n{attribute}\n".encode() + b"."
    refused(bring("cats.pkl", content), f"asks for {module}.{attribute}")


def test_21_what_a_file_is_stands_in_it_and_not_in_its_name(bring):
    refused(bring("cats.Safetensors", pickle.dumps({"a": 1})), "is a pickle")
    refused(bring("cats.zip", b"<html><script>alert(1)</script>"), "none of the files that can be brought")
    refused(bring("model.ckpt", zip_of({"archive/data.pkl": b"x"})), "which holds code")
    refused(bring("model.zip", zip_of({"notes.txt": b"x"})), "holds no model that is known")


UP = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\xff\xff\xff\xff\xff\xff\xff\x3f{}" + bytes(64), "header is longer"),
        (
            safetensors('{"a.lora_A.weight":%s,"a.lora_A.weight":%s}' % ((json.dumps(UP),) * 2), bytes(8)),
            "twice",
        ),
        (safetensors({"a.lora_A.weight": {**UP, "shape": [0], "data_offsets": [0, 0]}}), "is empty"),
        (safetensors({"a.lora_A.weight": {**UP, "shape": [3]}}, bytes(8)), "another size"),
        (safetensors({"a.lora_A.weight": UP}, bytes(16)), "do not fill the file"),
        (safetensors({"a.lora_A.weight": {**UP, "dtype": "EVIL"}}, bytes(8)), "described wrongly"),
        (safetensors({"weight": UP}, bytes(8)), "not a LoRA"),
    ],
    ids=["22-huge-header", "23-twice", "23-empty", "wrong-size", "trailer", "dtype", "no-lora"],
)
def test_headers_by_the_letter_of_the_format(bring, content, reason):
    refused(bring("style.safetensors", content), reason)


def test_a_lora_tells_its_base_by_name_or_by_shape(bring):
    told = bring(
        "a.safetensors", lora(**{"modelspec.architecture": "flux-1-dev/lora", "modelspec.author": "Ada"})
    )
    assert (told.kind, told.found["base_kind"], told.found["author"]) == ("lora", "flux", "Ada")
    assert bring("b.safetensors", lora(width=768)).found["base_kind"] == "sd15"
    assert bring("c.safetensors", lora(width=2048)).found["base_kind"] == "sdxl"


def test_a_lora_on_a_base_of_the_studio_becomes_a_model(bring, answer, owner, tmp_path):
    """In diffusers' names, without a word about its base; and 25: one with values that are not numbers."""
    import numpy as np
    from safetensors.numpy import load_file, save_file

    from tests.catalog.bases import write_tiny_lora

    base = publish_tiny_base(owner)
    write_tiny_lora(tmp_path / "lora.safetensors", base, keyword="mimochi")
    tensors = load_file(tmp_path / "lora.safetensors")
    save_file(tensors, tmp_path / "bare.safetensors")
    imported = answer(
        bring("bare.safetensors", (tmp_path / "bare.safetensors").read_bytes()), base=base, keyword="mimochi"
    )
    assert imported.stage == "ready", imported.refusal
    version = imported.model.latest_version
    assert version.manifest["base"]["fingerprint"] == base.manifest["fingerprint"]
    assert version.manifest["keyword"] == "mimochi"
    assert [edge.parent for edge in version.source.derived_from.all()] == [base.source]
    broken = {name: np.full_like(tensor, np.nan) for name, tensor in tensors.items()}
    save_file(broken, tmp_path / "nan.safetensors")
    imported = bring("nan.safetensors", (tmp_path / "nan.safetensors").read_bytes())
    refused(answer(imported, base=base, name="nan"), "not numbers")


def test_29_files_that_were_swapped_after_the_check_are_refused(bring, answer, tmp_path):
    imported = bring("faces.zip", bundle_of(make_folder(tmp_path / "model")))
    assert imported.stage == "found", imported.refusal
    key = next(key for key in list_keys(import_folder(imported)) if key.endswith("g_ema.safetensors"))
    default_storage.delete(key)
    default_storage.save(key, ContentFile(b"something else"))
    refused(answer(imported), "altered after it was looked at")


def test_a_bundle_is_taken_with_its_licence_and_names(bring, answer, generator_folder):
    imported = bring("faces.zip", bundle_of(generator_folder, attribution="Faces by Ada (CC0)"))
    assert imported.stage == "found", imported.refusal
    assert (imported.kind, imported.found["family"]) == ("bundle", "stylegan2")
    assert (imported.found["licence"], imported.found["author"]) == ("cc0-1.0", "Ada")
    imported = answer(imported)
    assert imported.stage == "ready", imported.refusal
    assert imported.model.latest_version.source.attribution == "Faces by Ada (CC0)"


def test_25_wrong_shapes_are_found_by_the_smoke_test(bring, answer, tmp_path):
    """Sound files of sixteen numbers that call themselves a network of 64 pixels."""
    refused(answer(bring("faces.zip", bundle_of(make_folder(tmp_path / "model")))), "")


def test_28_a_bundle_or_manifest_with_wrong_hashes_is_refused(bring, tmp_path):
    folder = make_folder(tmp_path / "model")
    files = {path.name: "0" * 64 for path in folder.iterdir()}
    refused(bring("faces.zip", bundle_of(folder, files=files)), "was altered")
    refused(bring("faces.zip", bundle_of(folder, files={MODEL_FILE: "0" * 64})), "does not hold the files")


@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        ({"../model_index.json": b"{}"}, "name that is not allowed"),
        ({"/model_index.json": b"{}"}, "name that is not allowed"),
        ({"a\\..\\model_index.json": b"{}"}, "name that is not allowed"),
        ({"model_index.json": b"{}", "MODEL_INDEX.json": b"{}"}, "two files of the same name"),
        ({"model_index.json": b'{"_class_name": "EvilPipeline"}'}, "not supported"),
    ],
)
def test_zips_with_names_that_lead_elsewhere_are_refused(bring, entries, reason):
    refused(bring("base.zip", zip_of(entries)), reason)


def test_a_bomb_and_overlapping_entries_are_refused(bring, settings):
    settings.IMPORT_LIMITS = {"max_bytes": 1 << 20}
    bomb = zip_of({"model_index.json": bytes(2 << 20)}, compression=8)
    refused(bring("base.zip", bomb), "unpacks to more")


def test_a_base_as_a_zip(bring, answer, tmp_path):
    """A diffusers folder inside a folder, with what is not needed beside it."""
    import shutil

    from tests.catalog.bases import tiny_base_folder

    folder = tmp_path / "sd"
    shutil.copytree(tiny_base_folder("sd15"), folder)
    (folder / "unet" / "diffusion_pytorch_model.bin").write_bytes(b"a pickle that nobody wants")
    imported = bring("sd.zip", zip_of_folder(folder, inside="sd/"))
    assert (imported.stage, imported.kind) == ("found", "base"), imported.refusal
    assert imported.found["base_kind"] == "sd15"
    assert not [key for key in list_keys(import_folder(imported)) if key.endswith(".bin")]
    imported = answer(imported)
    assert imported.stage == "ready", imported.refusal
    assert imported.model.family == "text-to-image"


def test_24_texts_of_a_file_are_texts(bring, owner_client):
    evil = "<script>alert(1)</script>"
    told = {"modelspec.title": evil, "modelspec.author": evil, "modelspec.license": "https://evil.example/x"}
    imported = bring("a.safetensors", lora(**told))
    page = owner_client.get(f"/models/import/{imported.pk}/").content.decode()
    assert evil not in page
    assert "&lt;script&gt;" in page
    assert 'href="https://evil.example' not in page


def test_signs_that_no_database_keeps_do_no_harm(bring, tmp_path):
    for number, value in enumerate(("\0", "\ud800", float("nan"))):
        folder = make_folder(tmp_path / str(number))
        manifest = json.loads((folder / MODEL_FILE).read_text())
        (folder / MODEL_FILE).write_text(json.dumps({**manifest, "name": value}))
        refused(bring("faces.zip", bundle_of(folder)), "description in this file")
    told = bring("a.safetensors", lora(**{"modelspec.title": "a\0b\u202ec", "modelspec.author": "x\ny"}))
    assert (told.stage, told.found["title"], told.found["author"]) == ("found", "abc", "x y")


def test_sizes_that_cannot_be_are_refused(bring, tmp_path):
    folder = make_folder(tmp_path / "model")
    manifest = json.loads((folder / MODEL_FILE).read_text())
    (folder / MODEL_FILE).write_text(json.dumps({**manifest, "resolution": 10**12}))
    refused(bring("faces.zip", bundle_of(folder)), "sizes that cannot be")


def test_an_attempt_that_was_killed_is_done_again(bring, owner, tmp_path, monkeypatch):
    """A fault in the middle: the next attempt begins with the stored file, and one folder is left."""
    from catalog import import_jobs

    store, calls = import_jobs.store_folder, []

    def breaking(folder: Path, prefix: str) -> list[str]:
        calls.append(prefix)
        keys = store(folder, prefix)
        if len(calls) == 1:
            raise RuntimeError("killed")
        return keys

    monkeypatch.setattr(import_jobs, "store_folder", breaking)
    imported = bring("a.safetensors", lora())
    assert imported.stage == "found"
    assert imported.found["folder"] == calls[1] != calls[0]


def test_an_import_that_cannot_be_done_at_all_leaves_nothing(bring, monkeypatch):
    from catalog import import_jobs

    def broken(*_args: object) -> None:
        raise RuntimeError("a mistake of ours")

    monkeypatch.setattr(import_jobs, "look", broken)
    refused(bring("a.safetensors", lora()), "Something went wrong on our side")


def test_discarding_stops_removes_and_keeps_the_model(
    bring, owner, django_capture_on_commit_callbacks, licences
):
    imported = bring("a.safetensors", lora())
    with django_capture_on_commit_callbacks(execute=True):
        discard_import(imported=imported)
    assert not ModelImport.objects.exists()
    assert list_keys("imports") == []
    with django_capture_on_commit_callbacks(execute=True):
        waiting = start_import(owner=owner, arrived=ContentFile(lora(), "b.safetensors"))
        discard_import(imported=waiting)
    waiting.refresh_from_db()
    assert (waiting.stage, waiting.job.state) == ("refused", "canceled")
    assert list_keys("imports") == []


def test_nobody_has_more_open_than_is_allowed_nor_more_than_there_is_room(
    bring, owner, settings, monkeypatch
):
    settings.IMPORT_LIMITS = {"max_open": 1}
    bring("a.safetensors", lora())
    with pytest.raises(ImportRefusedError, match="1 import open"):
        start_import(owner=owner, arrived=ContentFile(lora(), "b.safetensors"))
    assert len({key.split("/")[1] for key in list_keys("imports")}) == 1
    monkeypatch.setattr("catalog.services.imports.room_refusal", lambda *_: "There is no room.")
    with pytest.raises(ImportRefusedError, match="no room"):
        start_import(owner=owner, arrived=ContentFile(lora(), "b.safetensors"))


def test_an_answer_is_taken_once_and_under_a_free_name(bring, owner, publish):
    publish(owner, "faces")
    imported = bring("a.safetensors", lora())
    values = {"title": "A", "author": "Ada", "source_url": "", "licence": Licence.objects.get(slug="mit")}
    with pytest.raises(NameTakenError):
        answer_import(imported=imported, name="faces", **values)
    answer_import(imported=imported, name="a", **values)
    with pytest.raises(ImportRefusedError, match="answered already"):
        answer_import(imported=imported, name="a", **values)


def test_what_waits_too_long_is_not_kept(bring, settings):
    imported = bring("a.safetensors", lora())
    keys = list_keys("imports")
    assert keys_in_use(keys) == set(keys)
    settings.IMPORT_LIMITS = {"answer_days": 0}
    assert keys_in_use(keys) == set()
    values = {"title": "A", "author": "Ada", "source_url": "", "licence": Licence.objects.get(slug="mit")}
    with pytest.raises(ImportRefusedError, match="waited too long"):
        answer_import(imported=imported, name="a", **values)


def test_licences_are_known_by_any_of_their_names(licences):
    assert known_licence("CC-BY-4.0") == "cc-by-4.0"
    assert known_licence(" mit ") == "mit"
    assert known_licence("NVIDIA Source Code License (non-commercial)") == "nvidia-source-code-nc"
    assert known_licence("do what you want") == ""
    assert known_licence("") == ""


def test_a_limit_that_does_not_exist_is_told(settings):
    settings.IMPORT_LIMITS = {"max_size": 1}
    with pytest.raises(TypeError, match="max_size"):
        limits.current()


def test_a_model_that_was_made_just_before_the_worker_died_is_ready(bring, owner, tmp_path):
    from catalog.services.imports import note_import_end

    imported = bring("a.safetensors", lora())
    ModelImport.objects.filter(pk=imported.pk).update(stage="trying")
    version = publish_version(
        owner=owner,
        folder=make_folder(tmp_path / "made"),
        name="made",
        title="Made",
        licence=Licence.objects.get(slug="mit"),
        saved_from=imported.job_id,
    )
    imported.job.state = "failed"
    note_import_end(imported.job)
    imported.refresh_from_db()
    assert (imported.stage, imported.model) == ("ready", version.model)
    assert imported.job.kind == JOB_KIND


def test_an_onnx_model_with_its_manifest_becomes_a_model(bring, answer, tmp_path):
    from tests.engines.onnx.networks import doubler

    imported = bring("doubler.zip", onnx_zip(tmp_path, doubler()))
    assert (imported.stage, imported.kind) == ("found", "onnx"), imported.refusal
    assert (imported.found["title"], imported.found["licence"]) == ("Doubler", "mit")
    imported = answer(imported)
    assert imported.stage == "ready", imported.refusal
    assert (imported.model.family, imported.model.type) == ("onnx", "transform")
    assert imported.model.pictures.exists()


def test_26_to_28_onnx_that_asks_for_more_than_numbers_is_refused(bring, tmp_path):
    """Data in another file, a loop, an operator of its own, and a manifest whose hash is wrong."""
    from onnx import TensorProto, helper

    from tests.engines.onnx.networks import FLOAT, doubler, network

    outside = doubler()
    tensor = outside.graph.initializer[0]
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")
    refused(bring("a.zip", onnx_zip(tmp_path / "26", outside)), "single file only")

    shapes = [("picture", [1, 3, 8, 8])], [("larger", [1, 3, 8, 8])]
    own = network([helper.make_node("Evil", ["picture"], ["larger"], domain="evil")], *shapes)
    own.opset_import.append(helper.make_opsetid("evil", 1))
    refused(bring("b.zip", onnx_zip(tmp_path / "27", own)), "")

    body = helper.make_graph(
        [helper.make_node("Identity", ["on"], ["still_on"]), helper.make_node("Identity", ["x"], ["y"])],
        "body",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("x", FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("still_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("y", FLOAT, None),
        ],
    )
    endless = network([helper.make_node("Loop", ["", "", "picture"], ["larger"], body=body)], *shapes)
    refused(bring("c.zip", onnx_zip(tmp_path / "27b", endless)), "")

    wrong = onnx_zip(tmp_path / "28", doubler(), files={"model.onnx": "0" * 64})
    refused(bring("d.zip", wrong), "another SHA-256")


def test_28_a_manifest_that_says_what_cannot_be_is_refused_with_the_field(bring, tmp_path):
    from tests.engines.onnx.networks import doubler

    refused(
        bring("a.zip", onnx_zip(tmp_path, doubler(), inputs=[{"name": "x", "kind": "hologram"}])),
        "inputs[0].kind",
    )


def test_an_onnx_zip_with_a_second_file_is_refused(bring, tmp_path):
    entries = {"model.onnx": b"x", "model.json": b"{}", "weights.bin": b"y"}
    refused(bring("a.zip", zip_of(entries)), "single file here")
