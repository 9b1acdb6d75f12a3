"""The page on which one chooses who may have a model."""

import pytest
from django.core import mail
from django.urls import reverse

from catalog.models import Derivation, Licence, LicenceGrant, PublicationRequest, Visibility
from catalog.services.licences import licence_for_others
from tests.catalog.pages import asks_to_sign_in, wrong_methods_are_refused


@pytest.fixture
def url(version):
    return reverse("catalog:model_publish", args=[version.model.owner.handle, version.model.name])


def test_the_owner_asks_for_publication(owner_client, version, url):
    page = owner_client.get(url)
    assert page.status_code == 200
    assert "Creative Commons Attribution 4.0" in page.text
    values = {"visibility": "public", "licence": "cc-by-4.0", "message": "My\x07 cats."}
    assert owner_client.post(url, values)["Location"] == url
    request = PublicationRequest.objects.get()
    assert (request.model, request.licence_id, request.message) == (version.model, "cc-by-4.0", "My cats.")
    version.model.refresh_from_db()
    assert version.model.visibility == Visibility.PRIVATE
    waiting = owner_client.get(url).text
    assert reverse("catalog:request_take_back", args=[version.model.owner.handle, "faces"]) in waiting
    assert owner_client.post(url, values).status_code == 422
    assert not mail.outbox


def test_unlisted_and_private_need_no_review(owner_client, stranger_client, version, url):
    shown = reverse("catalog:model_detail", args=[version.model.owner.handle, "faces"])
    owner_client.post(url, {"visibility": "unlisted", "licence": "mit"})
    assert stranger_client.get(shown).status_code == 200
    assert "Faces" not in stranger_client.get(reverse("catalog:model_browse")).text
    owner_client.post(url, {"visibility": "private"})
    assert stranger_client.get(shown).status_code == 404


def test_terms_in_ones_own_words(owner_client, version, url):
    assert owner_client.post(url, {"visibility": "unlisted", "licence": "custom"}).status_code == 422
    values = {
        "visibility": "unlisted",
        "licence": "custom",
        "own_text": "Be kind.",
        "own_allowed": ["distribution"],
    }
    owner_client.post(url, values)
    licence = licence_for_others(version.model)
    assert (licence.full_text, licence.is_offered) == ("Be kind.", False)
    page = owner_client.get(url).text
    assert "Be kind." in page
    assert licence.pk not in page


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"visibility": "public"},
        {"visibility": "unlisted", "licence": "nothing"},
        {"visibility": "unlisted", "licence": "own-work"},
        {"visibility": "everybody", "licence": "mit"},
        {"visibility": "unlisted", "licence": "custom", "own_text": " \x00 "},
        {"visibility": "unlisted", "licence": "custom", "own_text": "x", "own_allowed": ["everything"]},
        {"visibility": "public", "licence": "mit", "message": "x" * 2001},
    ],
)
def test_bad_input_is_422(owner_client, version, url, values):
    assert owner_client.post(url, values).status_code == 422
    version.model.refresh_from_db()
    assert version.model.visibility == Visibility.PRIVATE
    assert not LicenceGrant.objects.exists()
    assert not PublicationRequest.objects.exists()


def test_a_non_commercial_origin_offered_commercially_is_422_with_the_sentence(
    owner_client, publish, owner, stranger
):
    origin = publish(
        stranger, "origin", seed=4, licence=Licence.objects.get(slug="cc-by-nc-4.0"), visibility="public"
    )
    child = publish(owner, "child", seed=5, parents=[(origin.source, Derivation.Role.STARTING_POINT)])
    url = reverse("catalog:model_publish", args=[owner.handle, child.model.name])
    assert (
        "Not possible: MIT License would allow commercial use, and “Origin” does not"
        in owner_client.get(url).text
    )
    response = owner_client.post(url, {"visibility": "public", "licence": "mit"})
    assert response.status_code == 422
    assert "“Origin” does not" in response.context["form"].errors["licence"][0]
    assert owner_client.post(url, {"visibility": "public", "licence": "cc-by-nc-4.0"}).status_code == 302


def test_other_fields_cannot_be_posted(owner_client, version, url, stranger):
    values = {"visibility": "unlisted", "licence": "mit", "owner": stranger.pk, "featured_at": "2026-01-01"}
    owner_client.post(url, values)
    version.model.refresh_from_db()
    assert (version.model.owner, version.model.featured_at) == (
        version.source.model_version.model.owner,
        None,
    )


def test_markup_in_an_answer_stays_text(owner_client, version, url):
    evil = "<script>alert(1)</script>"
    version.model.publication_requests.create(state="declined", answer=evil, licence_id="mit")
    assert evil not in owner_client.get(url).text


def test_stranger_gets_404_even_for_a_public_model(stranger_client, public_version, url):
    public = reverse("catalog:model_publish", args=[public_version.model.owner.handle, "cats"])
    for address in (url, public):
        assert stranger_client.get(address).status_code == 404
        assert stranger_client.post(address, {"visibility": "private"}).status_code == 404


def test_anonymous_is_asked_to_sign_in(client, url):
    assert asks_to_sign_in(client.get(url))
    assert asks_to_sign_in(client.post(url))


def test_wrong_methods(owner_client, url):
    assert wrong_methods_are_refused(owner_client, url, {"get", "post"})


def test_queries(owner_client, url, django_assert_max_num_queries):
    with django_assert_max_num_queries(15):
        owner_client.get(url)
