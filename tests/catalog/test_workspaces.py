"""Workspaces: shelves, checkpoints of a family, and chains that are saved and run."""

import pytest
from django.urls import reverse

from catalog.models import Chain, ModelRun, Workspace
from catalog.services.workspaces import add_model
from tests.catalog.onnx_models import publish_doubler, publish_painter
from tests.catalog.pages import asks_to_sign_in, wrong_methods_are_refused

pytestmark = pytest.mark.usefixtures("licences")


@pytest.fixture
def workspace(owner) -> Workspace:
    return Workspace.objects.create(owner=owner, name="Beach")


@pytest.fixture
def shelf(owner, workspace, version, tmp_path):
    """The owner's generator, a doubler and a painter."""
    versions = [
        version,
        publish_doubler(owner, tmp_path / "doubler"),
        publish_painter(owner, tmp_path / "painter"),
    ]
    for one in versions:
        add_model(workspace=workspace, model=one.model)
    return versions


def chain_values(*versions, name="Shells"):
    return {"name": name, **{f"step{place}": one.model.address for place, one in enumerate(versions)}}


def make_chain(client, workspace, *versions) -> Chain:
    url = reverse("catalog:workspace_chain", args=[workspace.pk])
    response = client.post(url, chain_values(*versions))
    assert response.status_code == 302, response.content.decode()
    return Chain.objects.get()


def test_a_workspace_is_made_and_renamed(owner_client, owner):
    assert (
        "Your workspaces will be here" in owner_client.get(reverse("catalog:workspace_list")).content.decode()
    )
    response = owner_client.post(reverse("catalog:workspace_create"), {"name": "  The   beach "})
    workspace = Workspace.objects.get()
    assert workspace.name == "The beach"
    assert response.url == reverse("catalog:workspace_detail", args=[workspace.pk])
    owner_client.post(reverse("catalog:workspace_edit", args=[workspace.pk]), {"name": "Dunes"})
    workspace.refresh_from_db()
    assert workspace.name == "Dunes"
    response = owner_client.post(reverse("catalog:workspace_create"), {"name": "Dunes"})
    assert response.status_code == 422
    assert "You have a workspace of this name" in response.content.decode()


def test_models_are_put_on_the_shelf_and_taken_off(owner_client, workspace, version):
    url = reverse("catalog:workspace_shelf", args=[workspace.pk])
    owner_client.post(url, {"add": version.model.address})
    owner_client.post(url, {"add": version.model.address})
    entry = workspace.shelf.get()
    page = owner_client.get(reverse("catalog:workspace_detail", args=[workspace.pk])).content.decode()
    assert version.model.title in page
    owner_client.post(url, {"remove": entry.pk})
    assert not workspace.shelf.exists()


def test_a_foreign_model_does_not_exist(owner_client, owner, workspace, publish, stranger):
    theirs = publish(stranger, "secret", seed=3)
    url = reverse("catalog:workspace_shelf", args=[workspace.pk])
    for address in (theirs.model.address, "nobody/nothing", "", "\0", "a/b/c"):
        assert owner_client.post(url, {"add": address}).status_code == 404
    for number in ("9", "x", "9" * 40):
        assert owner_client.post(url, {"remove": number}).status_code == 404


def test_checkpoints_of_the_family_are_offered_and_used(owner_client, workspace, version, publish, owner):
    other = publish(owner, "trained", seed=5)
    entry = add_model(workspace=workspace, model=version.model)
    url = reverse("catalog:workspace_detail", args=[workspace.pk])
    assert "Trained" in owner_client.get(url).content.decode()
    shelf = reverse("catalog:workspace_shelf", args=[workspace.pk])
    owner_client.post(shelf, {"entry": entry.pk, "checkpoint": other.model.address})
    entry.refresh_from_db()
    assert entry.checkpoint == other
    chain = make_chain(owner_client, workspace, other)
    owner_client.post(
        reverse("catalog:chain_detail", args=[chain.pk]), {"seed": 1, "truncation_psi": 1, "count": 1}
    )
    assert ModelRun.objects.get().steps.get().version == other


def test_a_chain_is_saved_and_run_with_the_sum_of_its_prices_on_the_button(owner_client, workspace, shelf):
    chain = make_chain(owner_client, workspace, *shelf)
    url = reverse("catalog:chain_detail", args=[chain.pk])
    page = " ".join(owner_client.get(url).content.decode().split())
    assert "Run the chain, 8 credits each" in page
    response = owner_client.post(url, {"seed": 3, "truncation_psi": 1, "count": 2})
    run = ModelRun.objects.get()
    assert response.url == reverse("catalog:run_detail", args=[run.pk])
    assert [step.model_title for step in run.steps.all()] == ["Faces", "Doubler", "Painter"]
    assert run.job.price_held == 16


def test_a_mismatch_is_refused_with_its_reason_at_the_step(owner_client, workspace, shelf):
    generator, doubler, painter = shelf
    url = reverse("catalog:workspace_chain", args=[workspace.pk])
    response = owner_client.post(url, chain_values(generator, painter, doubler))
    assert response.status_code == 422
    errors = response.context["form"].errors
    assert list(errors) == ["step2"]
    assert "“Doubler” takes a picture, but “Painter” gives labels" in errors["step2"][0]
    assert not Chain.objects.exists()


def test_a_chain_without_one_of_its_models_says_so_and_does_not_run(owner_client, workspace, shelf):
    chain = make_chain(owner_client, workspace, *shelf)
    shelf[1].model.delete()
    url = reverse("catalog:chain_detail", args=[chain.pk])
    page = owner_client.get(url).content.decode()
    assert "Doubler" in page
    assert "This model is gone" in page
    assert owner_client.post(url, {"seed": 1}).status_code == 409
    assert not ModelRun.objects.exists()


def test_a_chain_is_changed_and_deleted(owner_client, workspace, shelf):
    chain = make_chain(owner_client, workspace, *shelf)
    url = reverse("catalog:chain_edit", args=[chain.pk])
    assert owner_client.post(url, chain_values(*shelf[1:], name="Short")).status_code == 302
    assert [step.model_title for step in chain.steps.all()] == ["Doubler", "Painter"]
    owner_client.post(reverse("catalog:chain_delete", args=[chain.pk]))
    assert not Chain.objects.exists()


def test_workspaces_are_their_owners_alone(client, stranger, owner_client, workspace, shelf):
    chain = make_chain(owner_client, workspace, *shelf)
    assert asks_to_sign_in(client.get(reverse("catalog:workspace_detail", args=[workspace.pk])))
    client.force_login(stranger)
    for name in ("workspace_detail", "workspace_edit", "workspace_delete", "workspace_chain"):
        assert client.get(reverse(f"catalog:{name}", args=[workspace.pk])).status_code == 404
    for name in ("chain_detail", "chain_edit", "chain_delete"):
        assert client.post(reverse(f"catalog:{name}", args=[chain.pk])).status_code == 404
    assert client.post(reverse("catalog:workspace_shelf", args=[workspace.pk]), {}).status_code == 404
    assert "Beach" not in client.get(reverse("catalog:workspace_list")).content.decode()


def test_methods(owner_client, workspace):
    shelf = reverse("catalog:workspace_shelf", args=[workspace.pk])
    assert wrong_methods_are_refused(owner_client, shelf, allowed={"post"})
    assert wrong_methods_are_refused(owner_client, reverse("catalog:workspace_list"), allowed={"get"})
