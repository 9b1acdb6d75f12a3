"""Writing the page of an own model: texts, people, pictures."""

import io

import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from PIL import Image

from catalog.models import Attribution, CatalogModel, ModelPicture
from catalog.services import pages
from tests.catalog.pages import asks_to_sign_in, wrong_methods_are_refused


def address(route, version, *more):
    return reverse(f"catalog:{route}", args=[version.model.owner.handle, version.model.name, *more])


@pytest.fixture
def url(version):
    return address("model_edit", version)


def values(people=(), **texts):
    given = {"title": "Faces", "people-TOTAL_FORMS": str(len(people)), "people-INITIAL_FORMS": "0", **texts}
    for number, person in enumerate(people):
        given |= {f"people-{number}-{key}": value for key, value in person.items()}
    return given


def picture_file(name="shot.png", size=(2000, 1000), mode="PNG"):
    stored = io.BytesIO()
    Image.new("RGB", size, (200, 40, 40)).save(stored, mode)
    return SimpleUploadedFile(name, stored.getvalue())


@pytest.fixture
def shown(version):
    """Three pictures on the page."""
    return [pages.add_picture(model=version.model, file=picture_file(), caption=str(n)) for n in range(3)]


def test_owner_writes_texts(owner_client, version, url):
    assert owner_client.get(url).status_code == 200
    texts = {
        "title": " New  title ",
        "tagline": "One\nline",
        "description": "Some **words**",
        "keywords": "Red, #Drawn;  red,\n ",
        "training_data": "300 pictures",
        "known_limits": "Hands",
    }
    response = owner_client.post(url, values(**texts))
    assert response["Location"] == address("model_detail", version)
    model = CatalogModel.objects.get(pk=version.model_id)
    assert (model.title, model.tagline, model.keywords) == ("New title", "One line", ["red", "drawn"])
    page = owner_client.get(response["Location"]).content.decode()
    assert "<strong>words</strong>" in page
    assert "300 pictures" in page
    assert "?keyword=drawn" in page


def test_people_are_written_and_their_order_stays(owner_client, version, url):
    Attribution.objects.create(model=version.model, name="Before", role="was here")
    people = [
        {"name": "Ada", "role": "drew", "link": "https://example.org/"},
        {"name": "", "role": "", "link": ""},
        {"name": "Institute", "role": "paid", "link": ""},
    ]
    assert owner_client.post(url, values(people)).status_code == 302
    named = version.model.attributions.order_by("pk").values_list("name", "role", "link")
    assert list(named) == [("Ada", "drew", "https://example.org/"), ("Institute", "paid", "")]
    assert 'value="Ada"' in owner_client.get(url).content.decode()


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"title": ""}, "This field is required."),
        ({"title": "a\u202eb"}, "cannot be shown"),
        ({"keywords": ",".join(f"k{n}" for n in range(13))}, "more than twelve"),
        ({"keywords": "k" * 41}, "at most 40 letters"),
        ({"description": "x" * 20_001}, "at most 20000"),
        ({"people": [{"name": "Ada", "role": ""}]}, "Say what they did"),
        ({"people": [{"name": "", "role": "drew"}]}, "Say who this is"),
        ({"people": [{"name": "Ada", "role": "drew", "link": "javascript:alert(1)"}]}, "valid URL"),
    ],
)
def test_what_cannot_be_is_422_and_nothing_changes(owner_client, version, url, given, sentence):
    response = owner_client.post(url, values(given.pop("people", ()), **given))
    assert response.status_code == 422
    assert sentence in response.content.decode()
    version.model.refresh_from_db()
    assert version.model.title == "Faces"
    assert not version.model.attributions.exists()


@pytest.mark.parametrize("count", ["", "x", "-1", "100000"])
def test_a_broken_form_is_no_server_error(owner_client, version, url, count):
    assert owner_client.post(url, {"title": "X", "people-TOTAL_FORMS": count}).status_code in (302, 422)


def test_other_fields_cannot_be_posted(owner_client, version, url, stranger):
    owner_client.post(url, values(owner=stranger.pk, visibility="public", name="other"))
    model = CatalogModel.objects.get(pk=version.model_id)
    assert (model.owner, model.visibility, model.name) == (version.model.owner, "private", "faces")


def test_pictures_become_small_webp_files_without_what_else_was_in_them(owner_client, version):
    noisy = io.BytesIO()
    exif = Image.Exif()
    exif[0x010E] = "secret place"
    Image.new("RGB", (2000, 1000)).save(noisy, "JPEG", exif=exif)
    files = [SimpleUploadedFile("a.jpg", noisy.getvalue()), picture_file("b.png", (100, 80))]
    response = owner_client.post(address("picture_add", version), {"files": files})
    assert response["Location"].endswith("/edit/#gallery")
    first, second = version.model.pictures.all()
    assert (first.width, first.height) == (1600, 800)
    assert (second.width, second.height, second.position) == (100, 80, 1)
    with default_storage.open(first.file) as stored:
        content = stored.read()
    assert content[8:12] == b"WEBP"
    assert b"secret" not in content
    served = owner_client.get(address("picture_show", version, first.pk))
    assert served["Content-Type"] == "image/webp"
    served.close()


def test_a_file_that_is_no_picture_is_named_and_the_rest_is_taken(owner_client, version):
    files = [SimpleUploadedFile("evil.svg", b"<svg onload=alert(1)>"), picture_file("good.png")]
    response = owner_client.post(address("picture_add", version), {"files": files}, follow=True)
    page = response.content.decode()
    assert "evil.svg: This file is not a picture" in page
    assert version.model.pictures.count() == 1


def test_nothing_chosen_says_so(owner_client, version):
    page = owner_client.post(address("picture_add", version), follow=True).content.decode()
    assert "Choose one or more pictures first." in page


def test_too_many_bytes_are_not_read(owner_client, version, settings):
    settings.TRAINING_LIMITS = {**getattr(settings, "TRAINING_LIMITS", {}), "max_picture_bytes": 1 << 20}
    files = [SimpleUploadedFile("big.png", b"x" * (2 << 20))]
    page = owner_client.post(address("picture_add", version), {"files": files}, follow=True).content.decode()
    assert "at most 1 MB" in page


def test_a_full_gallery_takes_no_more(owner_client, version, monkeypatch, shown):
    monkeypatch.setattr(pages, "MAX_PICTURES", 3)
    page = owner_client.post(address("picture_add", version), {"files": [picture_file()]}, follow=True)
    assert "room for 3 pictures" in page.content.decode()
    assert version.model.pictures.count() == 3


@pytest.mark.parametrize(
    ("number", "action", "order"),
    [(2, "earlier", "021"), (2, "first", "201"), (0, "earlier", "012"), (1, "earlier", "102")],
)
def test_pictures_move(owner_client, version, shown, number, action, order):
    owner_client.post(address("picture_change", version, shown[number].pk), {"action": action})
    assert "".join(version.model.pictures.values_list("caption", flat=True)) == order


def test_a_picture_is_described(owner_client, version, shown):
    owner_client.post(address("picture_change", version, shown[0].pk), {"caption": " A <b>red</b>\0 one "})
    shown[0].refresh_from_db()
    assert shown[0].caption == "A <b>red</b> one"
    page = owner_client.get(address("model_detail", version)).content.decode()
    assert "A &lt;b&gt;red&lt;/b&gt; one" in page


def test_a_removed_picture_takes_its_file_along(
    owner_client, version, shown, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        owner_client.post(address("picture_change", version, shown[1].pk), {"action": "remove"})
    assert not ModelPicture.objects.filter(pk=shown[1].pk).exists()
    assert not default_storage.exists(shown[1].file)


def routes(version, picture):
    return [
        address("model_edit", version),
        address("picture_add", version),
        address("picture_change", version, picture.pk),
    ]


def test_stranger_gets_404_even_for_a_public_model(stranger_client, public_version):
    picture = pages.add_picture(model=public_version.model, file=picture_file())
    for route in routes(public_version, picture):
        assert stranger_client.post(route, {"action": "remove"}).status_code == 404
    assert ModelPicture.objects.exists()


def test_a_picture_of_another_model_is_404(owner_client, publish, owner, shown):
    other = publish(owner, "other", seed=4)
    assert owner_client.post(address("picture_change", other, shown[0].pk)).status_code == 404


def test_anonymous_is_asked_to_sign_in(client, version, shown):
    for route in routes(version, shown[0]):
        assert asks_to_sign_in(client.post(route))


def test_wrong_methods(owner_client, version, shown):
    edit, add, change = routes(version, shown[0])
    assert wrong_methods_are_refused(owner_client, edit, {"get", "post"})
    for route in (add, change):
        assert wrong_methods_are_refused(owner_client, route, {"post"})


def test_queries(owner_client, url, shown, django_assert_max_num_queries):
    with django_assert_max_num_queries(12):
        owner_client.get(url)
