"""The tabs of a model's page beside the overview: versions, files, license, attribution."""

import pytest
from django.urls import reverse

from catalog.models import (
    Attribution,
    CatalogModel,
    Derivation,
    Licence,
    LicenceGrant,
    RunTiming,
    Workspace,
)
from catalog.services import add_version
from tests.catalog.folders import make_folder
from tests.catalog.pages import wrong_methods_are_refused

TABS = ("model_versions", "model_files", "model_licence", "model_attribution", "model_lineage")


def url_of(version, tab, *more):
    return reverse(f"catalog:{tab}", args=[version.model.owner.handle, version.model.name, *more])


@pytest.fixture
def second(version, tmp_path):
    """A second version of the owner's model, without a discriminator."""
    folder = make_folder(tmp_path / "second", seed=9, discriminator=False)
    return add_version(model=version.model, folder=folder, licence=version.licence)


def addresses(version):
    return [*(url_of(version, tab) for tab in TABS), url_of(version, "version_detail", 1)]


def test_owner_opens_every_tab_and_finds_the_others(owner_client, version):
    for url in addresses(version):
        page = owner_client.get(url).content.decode()
        assert 'aria-current="page"' in page
        assert all(url_of(version, tab) in page for tab in TABS)
        assert "Training data" in page
        assert "Known limits" in page


def test_stranger_and_anonymous_get_404_for_a_private_model(stranger_client, client, version):
    for url in addresses(version):
        assert stranger_client.get(url).status_code == 404
        assert client.get(url).status_code == 404


def test_everybody_opens_the_tabs_of_a_public_model(client, public_version):
    for url in addresses(public_version):
        assert client.get(url).status_code == 200


def test_wrong_methods(owner_client, version):
    for url in addresses(version):
        assert wrong_methods_are_refused(owner_client, url, {"get"})


def test_versions_say_what_changed(owner_client, version, second):
    page = owner_client.get(url_of(version, "model_versions")).content.decode()
    assert page.index("Version 2") < page.index("Version 1")
    assert "Changed: g_ema.safetensors" in page
    assert "Gone: d.safetensors." in page
    assert "The first version." in page


def test_a_version_has_its_own_page_for_good(owner_client, version, second):
    page = owner_client.get(url_of(version, "version_detail", 1)).content.decode()
    assert version.sha256 in page
    assert "d.safetensors" in page
    assert second.sha256 not in page
    assert owner_client.get(url_of(version, "version_detail", 3)).status_code == 404


def test_pages_of_versions_turn(owner_client, version, monkeypatch, second):
    monkeypatch.setattr("catalog.views.VERSIONS_A_PAGE", 1)
    page = owner_client.get(url_of(version, "model_versions"), {"page": 2}).content.decode()
    assert "Version 1</a>" in page
    assert "Version 2</a>" not in page


def test_files_are_listed_with_sizes_and_hashes(owner_client, version):
    page = owner_client.get(url_of(version, "model_files")).content.decode()
    assert all(file.sha256 in page for file in version.files.all())
    assert f"?v={version.sha256}&amp;download=1" in page


def test_license_says_what_may_be_done(client, public_version):
    LicenceGrant.objects.create(
        source=public_version.source, licence=Licence.objects.get(slug="cc-by-nc-4.0")
    )
    page = client.get(url_of(public_version, "model_licence")).content.decode()
    assert "What it makes may not be used commercially." in page
    assert Licence.objects.get(slug="cc-by-nc-4.0").summary in page


def test_license_follows_the_line(owner_client, publish, owner, version):
    publish(owner, "base", seed=5, licence=Licence.objects.get(slug="cc-by-nc-4.0"))
    base = CatalogModel.objects.get(name="base").latest_version
    child = publish(
        owner,
        "child",
        seed=6,
        licence=Licence.objects.get(slug="mit"),
        parents=[(base.source, Derivation.Role.STARTING_POINT)],
    )
    page = owner_client.get(url_of(child, "model_licence")).content.decode()
    assert "What it makes may not be used commercially." in page
    assert "“Base”" in page


def test_attribution_names_people_and_required_lines(owner_client, publish, owner):
    version = publish(
        owner, "named", seed=3, licence=Licence.objects.get(slug="mit"), attribution="Ada Painter (MIT)"
    )
    Attribution.objects.create(
        model=version.model, name="Ada Painter", role="drew", link="https://example.org/"
    )
    page = owner_client.get(url_of(version, "model_attribution")).content.decode()
    assert "Ada Painter (MIT)" in page
    assert 'href="https://example.org/"' in page


def test_measured_times_stand_beside(owner_client, version):
    page = owner_client.get(url_of(version, "model_files")).content.decode()
    assert "Not measured yet" in page
    for seconds in (1.0, 2.0, 9.0):
        RunTiming.objects.create(version=version, device="cpu", seconds=seconds)
    page = owner_client.get(url_of(version, "model_files")).content.decode()
    assert "2.00 s, median of 3 runs" in page


def test_a_model_without_a_version_has_all_tabs(owner_client, owner, licences):
    CatalogModel.objects.create(owner=owner, name="empty", title="Empty", type="generate", family="stylegan2")
    for tab in TABS:
        url = reverse(f"catalog:{tab}", args=[owner.handle, "empty"])
        assert owner_client.get(url).status_code == 200


def test_queries(owner_client, version, second, django_assert_max_num_queries):
    for url in addresses(version):
        with django_assert_max_num_queries(17):
            owner_client.get(url)


def test_what_people_take_along_can_be_copied(owner_client, version):
    page = owner_client.get(url_of(version, "model_files")).content.decode()
    assert "python -m engines run faces-v1.zip" in page
    assert 'data-copy="home-run"' in page
    assert 'data-copy="model-address"' in page
    assert (
        'data-copy="version-sha256"'
        in owner_client.get(url_of(version, "version_detail", 1)).content.decode()
    )


def test_the_side_panel_stands_beside_the_lineage_too(owner_client, version):
    page = owner_client.get(url_of(version, "model_lineage")).content.decode()
    assert "All of it together" in page
    assert "Characteristics" in page


def test_similar_models_are_shown(client, publish, stranger, public_version):
    alike = publish(stranger, "lions", seed=21, visibility="public")
    publish(stranger, "trees", seed=22, visibility="public")
    publish(stranger, "tigers", seed=23)
    CatalogModel.objects.filter(name__in=["cats", "lions", "tigers"]).update(keywords=["big cats", "\"'<"])
    response = client.get(url_of(public_version, "model_detail"))
    assert [model.pk for model in response.context["similar"]] == [alike.model_id]
    assert "Similar models" in response.content.decode()
    CatalogModel.objects.update(keywords=[], title="-- or (")
    assert client.get(url_of(public_version, "model_detail")).status_code == 200


def test_a_model_is_added_to_a_workspace_from_its_page(owner_client, owner, public_version):
    workspace = Workspace.objects.create(owner=owner, name="Beach")
    way = f"{reverse('catalog:workspace_list')}?add={public_version.model.address}"
    assert way in owner_client.get(url_of(public_version, "model_detail")).content.decode()
    page = owner_client.get(way).content.decode()
    assert "Add it here" in page
    shelf = reverse("catalog:workspace_shelf", args=[workspace.pk])
    owner_client.post(shelf, {"add": public_version.model.address})
    assert workspace.shelf.get().model == public_version.model
    for nonsense in ("", "x", "nobody/nothing", "\0/\0"):
        page = owner_client.get(reverse("catalog:workspace_list"), {"add": nonsense}).content.decode()
        assert "Add it here" not in page
