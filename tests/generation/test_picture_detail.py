"""/gallery/<id>/: a picture with what made it; favourite and delete."""

import pytest
from django.core.files.storage import default_storage
from django.urls import reverse

from catalog.services import delete_model
from generation.models import Picture
from tests.catalog.pages import asks_to_sign_in, wrong_methods_are_refused


def url_of(picture, name="detail"):
    return reverse(f"generation:picture_{name}", args=[picture.pk])


def test_owner_sees_settings_and_provenance(owner_client, picture, version):
    page = owner_client.get(url_of(picture)).content.decode()
    for text in ("0.7", "16 × 16 px", version.weights_sha256, "CC-BY-4.0", "Tiny by Ann", "Faces"):
        assert text in page


def test_remix_puts_the_settings_back(owner_client, picture, version):
    form = owner_client.get(owner_client.get(url_of(picture)).context["remix_url"]).context["form"]
    values = {name: form[name].value() for name in ("model", "seeds", "truncation_psi")}
    assert values == {"model": version.model.address, "seeds": "5", "truncation_psi": "0.7"}


def test_picture_of_a_deleted_model_is_still_shown(owner_client, picture, version):
    delete_model(model=version.model)
    response = owner_client.get(url_of(picture))
    assert response.status_code == 200
    assert response.context["remix_url"] == ""


def test_neighbours(owner_client, made):
    first, second, third = made(seeds=[1, 2, 3])
    context = owner_client.get(url_of(second)).context
    assert (context["newer"], context["older"]) == (third, first)
    assert owner_client.get(url_of(third)).context["newer"] is None
    assert owner_client.get(url_of(first)).context["older"] is None


@pytest.mark.parametrize("headers", [{}, {"HX-Request": "true"}])
def test_favourite_and_back(owner_client, picture, headers):
    for value, expected in (("1", True), ("0", False), ("1", True)):
        owner_client.post(url_of(picture, "favourite"), {"favourite": value}, headers=headers)
        picture.refresh_from_db()
        assert picture.is_favourite is expected


def test_favourite_answers_a_fragment(owner_client, picture):
    response = owner_client.post(
        url_of(picture, "favourite"), {"favourite": "1"}, headers={"HX-Request": "true"}
    )
    assert "No longer a favourite" in response.content.decode()
    assert "<html" not in response.content.decode()


def test_delete_asks_then_removes_row_and_file(owner_client, picture, django_capture_on_commit_callbacks):
    assert owner_client.get(url_of(picture, "delete")).status_code == 200
    assert Picture.objects.exists()
    with django_capture_on_commit_callbacks(execute=True):
        response = owner_client.post(url_of(picture, "delete"))
    assert response["Location"] == reverse("generation:picture_list")
    assert not Picture.objects.exists()
    assert not default_storage.exists(picture.file)


def test_after_deleting_the_next_older_one_is_shown(owner_client, made):
    first, second = made(seeds=[1, 2])
    assert owner_client.post(url_of(second, "delete"))["Location"] == url_of(first)


def test_stranger_gets_404_everywhere(stranger_client, picture):
    assert stranger_client.get(url_of(picture)).status_code == 404
    assert stranger_client.get(url_of(picture, "delete")).status_code == 404
    assert stranger_client.post(url_of(picture, "delete")).status_code == 404
    assert stranger_client.post(url_of(picture, "favourite"), {"favourite": "1"}).status_code == 404
    picture.refresh_from_db()
    assert not picture.is_favourite


def test_anonymous_is_asked_to_sign_in(client, picture):
    assert asks_to_sign_in(client.get(url_of(picture)))
    assert asks_to_sign_in(client.post(url_of(picture, "delete")))
    assert asks_to_sign_in(client.post(url_of(picture, "favourite")))


def test_wrong_methods(owner_client, picture):
    assert wrong_methods_are_refused(owner_client, url_of(picture), {"get"})
    assert wrong_methods_are_refused(owner_client, url_of(picture, "favourite"), {"post"})
    assert wrong_methods_are_refused(owner_client, url_of(picture, "delete"), {"get", "post"})


def test_queries(owner_client, made, django_assert_max_num_queries):
    picture = made(seeds=[1, 2, 3])[1]
    with django_assert_max_num_queries(8):
        owner_client.get(url_of(picture))
