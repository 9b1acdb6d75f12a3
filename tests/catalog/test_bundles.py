"""Bundles: what is in them, who gets them, and that they run at home without Django."""

import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from django.urls import reverse
from PIL import Image

from catalog.manifests import folder_sha256
from catalog.models import Attribution, Licence, Visibility
from catalog.services import publish_version
from catalog.verification import verify_file
from engines.bundles import opened_bundle
from engines.errors import ModelError
from engines.provenance import read
from tests.catalog.pages import wrong_methods_are_refused

# Stands where a machine with only the engines has nothing.
WITHOUT_DJANGO = """
import runpy, sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        absent = {"django", "redis", "rq", "psycopg", "stripe", "allauth", "catalog", "jobs"}
        if name.partition(".")[0] in absent:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent())
sys.argv = ["engines", *sys.argv[1:]]
runpy.run_module("engines", run_name="__main__")
"""


def url(version) -> str:
    model = version.model
    return reverse("catalog:bundle_download", args=[model.owner.handle, model.name, version.number])


def downloaded(client, version) -> bytes:
    response = client.get(url(version))
    assert response.status_code == 200
    return response.getvalue()


@pytest.fixture
def generator(owner, licences, tmp_path):
    """A public model that really makes pictures, of 16 pixels."""
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
    return publish_version(
        owner=owner,
        folder=folder,
        name="tiny",
        title="Tiny",
        licence=Licence.objects.get(slug="cc-by-4.0"),
        attribution="Tiny by Ada (CC BY 4.0)",
        visibility=Visibility.PUBLIC,
    )


def test_it_holds_weights_licence_attribution_and_a_readme_of_ten_lines(client, public_version):
    Attribution.objects.create(model=public_version.model, name="Ada", role="drew the pictures")
    with zipfile.ZipFile(io.BytesIO(downloaded(client, public_version))) as archive:
        assert archive.testzip() is None
        card = json.loads(archive.read("bundle.json"))
        texts = {name: archive.read(name).decode() for name in archive.namelist() if name.endswith(".txt")}
        weights = [name for name in archive.namelist() if name.startswith("model/")]
    assert {f"model/{path}" for path in card["files"]} == set(weights)
    assert card["version_sha256"] == public_version.sha256 == folder_sha256(card["files"])
    assert (card["title"], card["version"], card["author"]) == ("Cats", 1, "Ada")
    assert len(texts["README.txt"].splitlines()) == 10
    assert "python -m engines run cats-v1.zip --seeds 0-15" in texts["README.txt"]
    assert public_version.licence.name in texts["LICENSE.txt"]
    assert "Ada: drew the pictures" in texts["ATTRIBUTION.txt"]


def test_the_same_version_is_not_sent_twice(client, public_version):
    first = client.get(url(public_version))
    etag = first["ETag"]
    assert first.getvalue() == client.get(url(public_version)).getvalue()
    assert client.get(url(public_version), headers={"If-None-Match": etag}).status_code == 304
    public_version.model.title = "Other cats"
    public_version.model.save()
    assert client.get(url(public_version), headers={"If-None-Match": etag}).status_code == 200


def test_who_gets_it(client, owner_client, stranger_client, version):
    assert owner_client.get(url(version)).status_code == 200
    assert stranger_client.get(url(version)).status_code == 404
    assert client.get(url(version)).status_code == 404
    assert wrong_methods_are_refused(owner_client, url(version), {"get"})


def test_a_bundle_is_known_again(client, public_version):
    found = verify_file(io.BytesIO(downloaded(client, public_version)), public_version.model.owner)
    assert (found.finding, found.version) == ("unchanged", public_version)


def test_an_altered_bundle_is_not_opened(client, public_version, tmp_path):
    path = tmp_path / "bundle.zip"
    path.write_bytes(downloaded(client, public_version))
    altered = tmp_path / "altered.zip"
    with zipfile.ZipFile(path) as before, zipfile.ZipFile(altered, "w") as after:
        for name in before.namelist():
            after.writestr(name, before.read(name) + (b" " if name.endswith("model.json") else b""))
    with pytest.raises(ModelError, match="was altered"), opened_bundle(altered):
        pass


def test_it_runs_at_home_without_django(client, generator, tmp_path):
    path = tmp_path / "tiny-v1.zip"
    path.write_bytes(downloaded(client, generator))
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_DJANGO, "run", path, "--seeds", "3,4", "--out", tmp_path / "out"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "2 images" in done.stdout
    record = read(tmp_path / "out" / "seed000003.png")
    assert record.version_sha256 == generator.sha256
    assert (record.licence, record.credit) == ("CC-BY-4.0", "Tiny by Ada (CC BY 4.0)")
    with Image.open(tmp_path / "out" / "seed000004.png") as picture:
        assert picture.size == (16, 16)


def test_a_generator_is_exported_to_onnx_and_comes_back(
    owner_client, client, generator, tmp_path, django_capture_on_commit_callbacks
):
    """Asked for on the page, made by a job, downloaded, and run by the ONNX engine like the original."""
    import numpy as np

    from engines.archives import unpack
    from engines.onnx.run import OnnxModel
    from engines.stylegan.generate import Generator
    from jobs.models import Job
    from jobs.testing import run_pending

    model = generator.model
    address = reverse("catalog:onnx_export", args=[model.owner.handle, model.name, 1])
    assert owner_client.get(address).status_code == 404
    assert client.post(address).status_code == 302  # to sign in
    assert not Job.objects.filter(kind="catalog.onnx").exists()
    with django_capture_on_commit_callbacks(execute=True):
        assert owner_client.post(address).status_code == 302
        assert owner_client.post(address).status_code == 302
        (job,) = run_pending("light")
    assert job.state == "succeeded", job.error
    (tmp_path / "onnx.zip").write_bytes(client.get(address).getvalue())
    folder = unpack(tmp_path / "onnx.zip", tmp_path / "onnx")
    assert (folder / "LICENSE.txt").is_file()
    from catalog.files import materialise

    with OnnxModel(folder) as opened:
        made = opened.run({}, out=tmp_path)
    picture = np.asarray(Image.open(tmp_path / made.outputs["picture"]["file"])).astype(int)
    expected = Generator.load(materialise(generator)).images([0])[0]
    assert np.abs(picture - expected).max() <= 1
    page = client.get(reverse("catalog:model_files", args=[model.owner.handle, model.name])).content.decode()
    assert address in page
