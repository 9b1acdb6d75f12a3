"""Pages of mixes: choosing two models, weighing them, making the model, and coming back to the experiment."""

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.urls import reverse

from catalog.models import Licence, ModelMix, Visibility
from catalog.services import publish_version
from jobs.models import Job, State
from tests.catalog.folders import make_folder
from tests.catalog.pages import asks_to_sign_in, wrong_methods_are_refused
from tests.world import build_world

CREATE = "/models/mix/"
HTMX = {"HX-Request": "true"}


@pytest.fixture
def pair(owner, publish):
    return publish(owner, "cats", seed=1), publish(owner, "dogs", seed=2)


@pytest.fixture
def mix(owner_client, pair) -> ModelMix:
    response = owner_client.post(CREATE, addresses(pair))
    mix = ModelMix.objects.get()
    assert response.url == mix.get_absolute_url()
    return mix


def addresses(pair) -> dict[str, str]:
    return {name: version.model.address for name, version in zip(("first", "second"), pair, strict=True)}


def text_of(response) -> str:
    return " ".join(response.content.decode().split())


def test_models_to_mix_are_offered_with_what_fits(owner_client, owner, pair, tmp_path):
    page = text_of(owner_client.get(CREATE))
    assert "Cats" in page
    assert "Dogs" in page
    folder = make_folder(tmp_path / "large", seed=3, resolution=128)
    publish_version(owner=owner, folder=folder, name="large", title="Large", licence=pair[0].licence)
    chosen = owner_client.get(CREATE, {"first": pair[0].model.address}, headers=HTMX)
    fragment = text_of(chosen)
    assert "<html" not in fragment
    assert "resolution 64 and 128" in fragment
    assert 'value="owner/cats"' not in fragment  # not with itself


def test_what_cannot_be_mixed_is_refused_in_words(owner_client, pair, stranger, publish):
    twice = owner_client.post(CREATE, addresses((pair[0], pair[0])))
    assert twice.status_code == 422
    assert "same model twice" in text_of(twice)
    hidden = publish(stranger, "birds", seed=4)
    response = owner_client.post(CREATE, addresses((pair[0], hidden)))
    assert response.status_code == 422
    assert "no such model that you may use" in text_of(response)
    for_owner_only = publish(stranger, "fish", seed=5, visibility=Visibility.PUBLIC)
    response = owner_client.post(CREATE, addresses((pair[0], for_owner_only)))
    assert response.status_code == 422
    assert "for its owner only" in text_of(response)
    assert owner_client.post(CREATE, {"first": "x" * 999, "second": "\x00"}).status_code == 422
    assert not ModelMix.objects.exists()


def test_an_unlisted_model_is_found_by_its_address(owner_client, stranger, pair, publish):
    licence = Licence.objects.get(slug="cc0-1.0")
    unlisted = publish(stranger, "secret", seed=6, visibility=Visibility.UNLISTED, licence=licence)
    assert "Secret" not in text_of(owner_client.get(CREATE))
    assert "Secret" in text_of(owner_client.get(CREATE, {"first": unlisted.model.address}))
    assert owner_client.post(CREATE, addresses((unlisted, pair[0]))).status_code == 302


def test_the_preview_comes_and_both_licences_are_told(owner_client, mix):
    page = text_of(owner_client.get(mix.get_absolute_url()))
    assert "Own work (private)" in page
    assert "no common starting point" in page
    assert 'hx-trigger="every 1s"' in page
    address = reverse("catalog:mix_preview", args=[mix.pk])
    assert owner_client.get(address).status_code == 404
    Job.objects.update(state=State.SUCCEEDED)
    ModelMix.objects.update(preview=default_storage.save("jobs/a/1/preview.webp", ContentFile(b"webp")))
    page = text_of(owner_client.get(mix.get_absolute_url(), headers=HTMX))
    assert "every 1s" not in page
    assert f"{address}?of=jobs%2Fa%2F1%2Fpreview.webp" in page
    served = owner_client.get(address, {"of": "jobs/a/1/preview.webp"})
    assert (served["Content-Type"], served.getvalue()) == ("image/webp", b"webp")
    assert "immutable" in served["Cache-Control"]
    unnamed = owner_client.get(address)
    assert unnamed.getvalue() == b"webp"
    assert "immutable" not in unnamed["Cache-Control"]


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ({"method": "average", "share": 30}, {"method": "average", "share": 0.3}),
        ({"method": "blend", "swap": 32}, {"method": "blend", "swap": 32, "sharpness": 4.0}),
    ],
)
def test_weights_are_changed_and_previewed_anew(owner_client, mix, told, kept):
    address = reverse("catalog:mix_weigh", args=[mix.pk])
    values = {"share": 50, "swap": 16, "sharpness": 4, **told}
    response = owner_client.post(address, values, headers=HTMX)
    assert 'id="mix"' in text_of(response)
    mix.refresh_from_db()
    assert mix.config == kept
    assert Job.objects.filter(kind="catalog.mix_preview").count() == 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"method": "magic"},
        {"share": 101},
        {"share": "nan"},
        {"swap": 7},
        {"sharpness": "inf"},
        {"sharpness": -1},
    ],
)
def test_weights_that_cannot_be_change_nothing(owner_client, mix, wrong):
    address = reverse("catalog:mix_weigh", args=[mix.pk])
    values = {"method": "average", "share": 10, "swap": 16, "sharpness": 4, **wrong}
    assert owner_client.post(address, values).status_code == 422
    assert owner_client.post(address, values, headers=HTMX).status_code == 204
    mix.refresh_from_db()
    assert mix.config == {"method": "average", "share": 0.5}


def test_the_model_is_ordered_once(owner_client, mix):
    address = reverse("catalog:mix_make", args=[mix.pk])
    assert owner_client.post(address, {"title": " "}).status_code == 422
    assert owner_client.post(address, {"title": "Both\u0007"}).status_code == 422
    assert owner_client.post(address, {"title": "Both"}).status_code == 302
    mix.refresh_from_db()
    assert (mix.job.kind, mix.title) == ("catalog.mix", "Both")
    assert owner_client.post(address, {"title": "Both"}).status_code == 409
    assert "Making the model" in text_of(owner_client.get(mix.get_absolute_url()))


def test_a_made_mix_goes_on_in_the_experiment_that_it_was_made_for(owner_client, owner, pair, tmp_path):
    world = build_world(owner, tmp_path)
    setup = reverse("training:draft_setup", args=[world.draft.pk])
    assert "Mix two models" in text_of(owner_client.get(setup))
    left = owner_client.post(setup, {**world.draft.choices, "steps": "77", "go": "mix"})
    assert left.url == f"{CREATE}?next={setup.replace('/', '%2F')}"
    begun = owner_client.post(CREATE, {**addresses(pair), "next": setup})
    mix = ModelMix.objects.get(first=pair[0])
    ModelMix.objects.filter(pk=mix.pk).update(job=world.mix.preview_job, model=pair[1].model)
    page = text_of(owner_client.get(begun.url))
    onward = f"{setup}?start={pair[1].pk}"
    assert onward in page
    back = text_of(owner_client.get(onward))
    assert f'value="{pair[1].pk}" checked' in back
    assert 'value="77"' in back


def test_nothing_leads_to_other_sites(owner_client, mix):
    for hostile in ("https://evil.example/", "//evil.example", "javascript:alert(1)"):
        assert "evil" not in text_of(owner_client.get(CREATE, {"next": hostile}))
        assert hostile not in text_of(owner_client.get(mix.get_absolute_url(), {"next": hostile}))


def test_mixes_are_their_owners(client, stranger, mix):
    client.force_login(stranger)
    for name, method in (("detail", "get"), ("weigh", "post"), ("make", "post"), ("discard", "post")):
        address = reverse(f"catalog:mix_{name}", args=[mix.pk])
        assert getattr(client, method)(address).status_code == 404


def test_somebody_unknown_signs_in_first(client, mix):
    assert asks_to_sign_in(client.get(CREATE))
    assert asks_to_sign_in(client.get(mix.get_absolute_url()))


def test_wrong_methods(owner_client, mix):
    assert wrong_methods_are_refused(owner_client, CREATE, allowed={"get", "post"})
    assert wrong_methods_are_refused(owner_client, mix.get_absolute_url(), allowed={"get"})


def test_a_mix_is_discarded(owner_client, mix):
    assert owner_client.post(reverse("catalog:mix_discard", args=[mix.pk])).url == CREATE
    assert not ModelMix.objects.exists()


def test_few_queries(owner_client, mix, django_assert_max_num_queries):
    Job.objects.update(state=State.SUCCEEDED)
    for address in (CREATE, mix.get_absolute_url()):
        with django_assert_max_num_queries(15):
            assert owner_client.get(address).status_code == 200
