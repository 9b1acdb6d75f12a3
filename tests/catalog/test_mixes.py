"""Mixing two models: who may mix what, the preview, and the model with both parents in its lineage."""

import io

import numpy as np
import pytest
import torch
from django.core.files.storage import default_storage
from PIL import Image

from catalog import mixes
from catalog.exceptions import MixRefusedError, TermsForbid, TooManyMixesError
from catalog.files import materialise
from catalog.lineage import made_from
from catalog.models import CatalogModel, Derivation, Licence, ModelMix, Visibility
from catalog.services import delete_model, publish_version
from catalog.services.mixes import (
    MAX_WAITING,
    change_mix,
    delete_mix,
    forget_old_mixes,
    make_mix,
    start_mix,
)
from catalog.terms import effective_terms
from engines.checkpoint import write_model
from engines.manifest import DISCRIMINATOR_FILE, GENERATOR_FILE, STYLEGAN2, ModelInfo, read_model_info
from engines.stylegan.config import Architecture
from engines.stylegan.generate import Generator
from engines.stylegan.networks import Discriminator
from engines.stylegan.networks import Generator as Network
from engines.stylegan.relatives import Kinship, MixConfig
from jobs import warm
from jobs.models import Job, State
from jobs.testing import run_pending

pytestmark = pytest.mark.usefixtures("licences")

TINY = Architecture(resolution=16, z_dim=8, w_dim=8, mapping_layers=2, channel_base=64, channel_max=16)
ROOT_SHA256 = "a" * 64


@pytest.fixture(autouse=True)
def _cold():
    yield
    warm.clear()


@pytest.fixture
def real(tmp_path):
    """Return a function that publishes a model that works: `real(owner, "cats", seed=1, ...)`."""

    def make(owner, name="cats", *, seed=0, architecture=TINY, is_relative=True, licence="cc0-1.0", **values):
        torch.manual_seed(seed)
        lineage = ({"kind": "model", "sha256": ROOT_SHA256},) if is_relative else ()
        info = ModelInfo(
            family=STYLEGAN2, architecture=architecture.as_dict(), name=name, licence=licence, lineage=lineage
        )
        folder = tmp_path / f"{owner.handle}-{name}"
        folder.mkdir()
        networks = {
            GENERATOR_FILE: Network(architecture).state_dict(),
            DISCRIMINATOR_FILE: Discriminator(architecture).state_dict(),
        }
        write_model(folder, info, networks)
        return publish_version(
            owner=owner,
            folder=folder,
            name=name,
            title=name.capitalize(),
            licence=Licence.objects.get(slug=licence),
            **values,
        )

    return make


@pytest.fixture
def pair(owner, real):
    return real(owner, "cats", seed=1), real(owner, "dogs", seed=2, known_limits="Only dogs.")


def begin(owner, pair, **config) -> ModelMix:
    return start_mix(owner=owner, first=pair[0], second=pair[1], config=MixConfig(**config))


def done() -> list[Job]:
    jobs = run_pending()
    assert all(job.state == State.SUCCEEDED for job in jobs), [job.error for job in jobs]
    return jobs


def sheet_of(mix) -> np.ndarray:
    mix.refresh_from_db()
    with default_storage.open(mix.preview) as stored:
        return np.asarray(Image.open(io.BytesIO(stored.read())).convert("RGB")).astype(int)


def test_a_preview_shows_the_same_seeds_in_both_and_in_the_mix(owner, pair):
    mix = begin(owner, pair, share=0.3)
    (job,) = done()
    assert job.price_held == 0
    first, middle, second = np.split(sheet_of(mix), 3)
    assert first.shape == (48, 48, 3)
    for version, square in zip(pair, (first, second), strict=True):
        generator = Generator.load(materialise(version), threads=1)
        picture = generator.images([4], truncation_psi=mixes.PREVIEW_TRUNCATION)[0].astype(int)
        assert np.abs(square[16:32, 16:32] - picture).mean() < 12  # of 255; WebP loses some
    assert np.abs(middle - first).mean() > 1


def test_another_preview_takes_the_place_of_the_one_before(owner, pair, django_capture_on_commit_callbacks):
    mix = begin(owner, pair)
    done()
    before = sheet_of(mix)
    old_key = mix.preview
    change_mix(mix=mix, config=MixConfig(method="blend", swap=8))
    mix.refresh_from_db()
    assert mix.preview == old_key  # it stays until the new one is there
    with django_capture_on_commit_callbacks(execute=True):
        done()
    assert np.abs(sheet_of(mix) - before).max() > 0
    assert not default_storage.exists(old_key)
    assert mixes.keys_in_use([mix.preview, old_key]) == {mix.preview}


def test_a_mix_becomes_a_private_model_with_two_parents(owner, pair):
    mix = begin(owner, pair, share=0.25)
    done()
    make_mix(mix=mix, title="Cats and dogs")
    done()
    mix.refresh_from_db()
    version = mix.model.latest_version
    assert (mix.model.title, mix.model.visibility) == ("Cats and dogs", Visibility.PRIVATE)
    assert mix.model.known_limits == "Only dogs."
    roles = version.source.derived_from.values_list("parent", "role")
    assert set(roles) == {(each.source_id, Derivation.Role.MIX_PARENT) for each in pair}
    assert [entry.label for entry in made_from(version.source, owner)] == ["Cats", "Dogs"]
    info = read_model_info(materialise(version))
    assert DISCRIMINATOR_FILE in info.files
    assert {entry.get("name") for entry in info.lineage} >= {"cats", "dogs"}
    assert version.files.filter(path="grid.png").exists()
    with pytest.raises(MixRefusedError, match="made already"):
        make_mix(mix=mix, title="Again")
    with pytest.raises(MixRefusedError, match="Begin another one"):
        change_mix(mix=mix, config=MixConfig())


def test_an_attempt_after_a_killed_one_finds_its_model(owner, pair):
    mix = begin(owner, pair)
    make_mix(mix=mix, title="Both")
    mix.refresh_from_db()
    done()
    Job.objects.filter(pk=mix.job_id).update(state=State.QUEUED)
    ModelMix.objects.update(model=None)
    done()
    mix.refresh_from_db()
    assert mix.model is not None
    assert CatalogModel.objects.filter(saved_from=mix.job_id).count() == 1


def test_sizes_that_differ_are_all_named(owner, real):
    other = Architecture(resolution=32, z_dim=8, w_dim=8, mapping_layers=3, channel_base=64, channel_max=16)
    pair = real(owner, "cats"), real(owner, "dogs", architecture=other)
    with pytest.raises(MixRefusedError, match=r"mapping layers 2 and 3.*resolution 16 and 32"):
        begin(owner, pair)
    (partner,) = mixes.partners_of(pair[0], owner)
    assert "resolution 16 and 32" in partner.refusal
    with pytest.raises(MixRefusedError, match="same model twice"):
        begin(owner, (pair[0], pair[0]))


def test_a_licence_that_forbids_changes_is_quoted(owner, stranger, real):
    kept = real(stranger, "cats", seed=1, licence="own-work", visibility=Visibility.PUBLIC)
    with pytest.raises(TermsForbid, match="for its owner only"):
        begin(owner, (kept, real(owner, "dogs", seed=2)))
    assert not ModelMix.objects.exists()


def test_terms_follow_both_parents(owner, stranger, real):
    paid = real(stranger, "cats", seed=1, licence="cc-by-4.0", attribution="Cats by Ada (CC BY 4.0)",
                visibility=Visibility.PUBLIC)  # fmt: skip
    free = real(owner, "dogs", seed=2)
    mix = begin(owner, (paid, free))
    assert mixes.mixed_terms(mix, owner).attributions == ("Cats by Ada (CC BY 4.0)",)
    make_mix(mix=mix, title="Both")
    done()
    mix.refresh_from_db()
    terms = effective_terms(mix.model.latest_version, viewer=owner)
    assert "Cats by Ada (CC BY 4.0)" in terms.attributions
    assert terms.attribution_required


def test_relatives_are_told_from_strangers(owner, real):
    cats, dogs = real(owner, "cats", seed=1), real(owner, "dogs", seed=2)
    birds = real(owner, "birds", seed=3, is_relative=False)
    partners = mixes.partners_of(cats, owner)
    assert [(one.version, one.is_relative) for one in partners] == [(dogs, True), (birds, False)]
    assert mixes.kinship_of(begin(owner, (cats, birds))) is Kinship.STRANGERS
    assert mixes.kinship_of(begin(owner, (cats, dogs))) is Kinship.SIBLINGS


def test_nobody_fills_the_queue_with_previews(owner, pair):
    for _number in range(MAX_WAITING):
        begin(owner, pair)
    with pytest.raises(TooManyMixesError):
        begin(owner, pair)
    mix = ModelMix.objects.first()
    assert change_mix(mix=mix, config=MixConfig()).preview_job_id == mix.preview_job_id
    for number in range(3):  # each takes the place of the one before
        change_mix(mix=mix, config=MixConfig(share=0.1 * number))
    assert Job.objects.active().count() == MAX_WAITING


def test_a_full_storage_is_said_before_anything_is_made(owner, pair, monkeypatch):
    mix = begin(owner, pair)
    monkeypatch.setattr("catalog.services.mixes.room_refusal", lambda *_: "There is no room for this.")
    with pytest.raises(MixRefusedError, match="no room"):
        make_mix(mix=mix, title="Both")


def test_a_deleted_parent_ends_the_mix_with_a_reason(owner, pair):
    begin(owner, pair)
    assert mixes.describe_mixes(pair[0].model) == "1 mix with it was looked at and not made. It goes."
    delete_model(model=pair[0].model)
    (job,) = run_pending()
    assert job.state == State.FAILED
    assert "was deleted before they were mixed" in job.error


def test_a_discarded_mix_leaves_its_model(owner, pair, django_capture_on_commit_callbacks):
    mix = begin(owner, pair)
    make_mix(mix=mix, title="Both")
    done()
    mix.refresh_from_db()
    with django_capture_on_commit_callbacks(execute=True):
        delete_mix(mix=mix)
    assert not default_storage.exists(mix.preview)
    assert CatalogModel.objects.filter(pk=mix.model_id).exists()


def test_what_was_only_looked_at_goes_after_a_month(owner, pair):
    kept, old = begin(owner, pair), begin(owner, pair)
    done()
    ModelMix.objects.filter(pk=old.pk).update(created_at="2026-01-01T00:00Z")
    forget_old_mixes()
    assert list(ModelMix.objects.all()) == [kept]
