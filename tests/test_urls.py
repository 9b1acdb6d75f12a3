"""Every address and method as owner, stranger, unknown visitor and staff. A new one says whose it is."""

import json
import subprocess
import sys
from collections.abc import Iterator
from enum import Enum

import pytest
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, get_resolver, reverse
from django.urls.resolvers import URLResolver

from catalog.generators import version_key
from tests.world import LOOK_KEY, TAKEN_OUT, World, build_world

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
SAFE = ("GET", "HEAD")
FORM = ("GET", "HEAD", "POST")
POST = ("POST",)


class Whose(Enum):
    """Who may see what stands at an address."""

    EVERYBODYS = "no sign-in needed"
    ONES_OWN = "a page about whoever asks"
    ONES_OWN_ONCE_MORE = "the same, after the password was asked for once more"
    THE_OWNERS = "one thing of somebody's, which for others does not exist"
    THE_OWNERS_UNLESS_SHOWN = "the same, and found without a sign-in once it is published"
    STRIPES = "for Stripe, which signs what it sends; tested in tests/billing"
    ALLAUTHS = "signing in and out; tested in tests/accounts"
    STAFFS = "administration"


APP_URLS: dict[str, tuple[Whose, tuple[str, ...]]] = {
    "home": (Whose.EVERYBODYS, SAFE),
    "alive": (Whose.EVERYBODYS, SAFE),
    "ready": (Whose.EVERYBODYS, SAFE),
    "guide_list": (Whose.EVERYBODYS, SAFE),
    "guide_detail": (Whose.EVERYBODYS, SAFE),
    "legal_detail": (Whose.EVERYBODYS, SAFE),
    "mail_settings": (Whose.ONES_OWN, FORM),
    "account_profile": (Whose.ONES_OWN, FORM),
    "usersessions_list": (Whose.ONES_OWN, FORM),
    "account_data": (Whose.ONES_OWN, SAFE),
    "account_data_confirm": (Whose.ONES_OWN_ONCE_MORE, SAFE),
    "account_download": (Whose.ONES_OWN_ONCE_MORE, SAFE),
    "account_download_part": (Whose.ONES_OWN_ONCE_MORE, SAFE),
    "account_erase": (Whose.ONES_OWN, FORM),
    "billing:account_detail": (Whose.ONES_OWN, SAFE),
    "billing:receipt_list": (Whose.ONES_OWN, SAFE),
    "billing:movement_list": (Whose.ONES_OWN, SAFE),
    "billing:invoice_list": (Whose.ONES_OWN, SAFE),
    "billing:pricing": (Whose.EVERYBODYS, SAFE),
    "billing:checkout_create": (Whose.ONES_OWN, FORM),
    "billing:checkout_detail": (Whose.ONES_OWN, SAFE),
    "billing:portal_open": (Whose.ONES_OWN, POST),
    "billing:webhook": (Whose.STRIPES, POST),
    "billing:sandbox_checkout": (Whose.ONES_OWN, FORM),
    "billing:sandbox_invoice": (Whose.ONES_OWN, FORM),
    "billing:sandbox_portal": (Whose.ONES_OWN, FORM),
    "catalog:model_browse": (Whose.EVERYBODYS, SAFE),
    "catalog:model_list": (Whose.ONES_OWN, SAFE),
    "catalog:model_detail": (Whose.THE_OWNERS_UNLESS_SHOWN, SAFE),
    "catalog:file_download": (Whose.THE_OWNERS_UNLESS_SHOWN, SAFE),
    "catalog:model_versions": (Whose.THE_OWNERS_UNLESS_SHOWN, SAFE),
    "catalog:version_detail": (Whose.THE_OWNERS_UNLESS_SHOWN, SAFE),
    "catalog:model_files": (Whose.THE_OWNERS_UNLESS_SHOWN, SAFE),
    "catalog:model_licence": (Whose.THE_OWNERS_UNLESS_SHOWN, SAFE),
    "catalog:model_attribution": (Whose.THE_OWNERS_UNLESS_SHOWN, SAFE),
    "catalog:model_edit": (Whose.THE_OWNERS, FORM),
    "catalog:picture_add": (Whose.THE_OWNERS, POST),
    "catalog:picture_change": (Whose.THE_OWNERS, POST),
    "catalog:verify": (Whose.EVERYBODYS, FORM),
    "catalog:verify_keys": (Whose.EVERYBODYS, SAFE),
    "catalog:mix_create": (Whose.ONES_OWN, FORM),
    "catalog:mix_detail": (Whose.THE_OWNERS, SAFE),
    "catalog:mix_weigh": (Whose.THE_OWNERS, POST),
    "catalog:mix_make": (Whose.THE_OWNERS, POST),
    "catalog:mix_discard": (Whose.THE_OWNERS, POST),
    "catalog:mix_preview": (Whose.THE_OWNERS, SAFE),
    "catalog:import_create": (Whose.ONES_OWN, FORM),
    "catalog:import_detail": (Whose.THE_OWNERS, FORM),
    "catalog:import_discard": (Whose.THE_OWNERS, POST),
    "catalog:onnx_export": (Whose.THE_OWNERS_UNLESS_SHOWN, FORM),
    "catalog:bundle_download": (Whose.THE_OWNERS_UNLESS_SHOWN, SAFE),
    "catalog:picture_show": (Whose.THE_OWNERS_UNLESS_SHOWN, SAFE),
    "catalog:model_lineage": (Whose.THE_OWNERS_UNLESS_SHOWN, SAFE),
    "catalog:model_report": (Whose.THE_OWNERS_UNLESS_SHOWN, FORM),
    "catalog:model_publish": (Whose.THE_OWNERS, FORM),
    "catalog:model_withdraw": (Whose.THE_OWNERS, FORM),
    "catalog:request_take_back": (Whose.THE_OWNERS, POST),
    "catalog:model_rename": (Whose.THE_OWNERS, FORM),
    "catalog:model_delete": (Whose.THE_OWNERS, FORM),
    "catalog:run_create": (Whose.THE_OWNERS, FORM),
    "catalog:run_list": (Whose.ONES_OWN, SAFE),
    "catalog:run_send": (Whose.ONES_OWN, SAFE),
    "catalog:run_sent": (Whose.ONES_OWN, SAFE),
    "catalog:run_detail": (Whose.THE_OWNERS, SAFE),
    "catalog:run_stop": (Whose.THE_OWNERS, POST),
    "catalog:run_delete": (Whose.THE_OWNERS, FORM),
    "catalog:run_download": (Whose.THE_OWNERS, SAFE),
    "catalog:run_result": (Whose.THE_OWNERS, SAFE),
    "catalog:run_given": (Whose.THE_OWNERS, SAFE),
    "catalog:workspace_list": (Whose.ONES_OWN, SAFE),
    "catalog:workspace_create": (Whose.ONES_OWN, FORM),
    "catalog:workspace_detail": (Whose.THE_OWNERS, SAFE),
    "catalog:workspace_edit": (Whose.THE_OWNERS, FORM),
    "catalog:workspace_delete": (Whose.THE_OWNERS, FORM),
    "catalog:workspace_shelf": (Whose.THE_OWNERS, POST),
    "catalog:workspace_chain": (Whose.THE_OWNERS, FORM),
    "catalog:chain_detail": (Whose.THE_OWNERS, FORM),
    "catalog:chain_edit": (Whose.THE_OWNERS, FORM),
    "catalog:chain_delete": (Whose.THE_OWNERS, FORM),
    "training:dataset_list": (Whose.ONES_OWN, SAFE),
    "training:dataset_create": (Whose.ONES_OWN, FORM),
    "training:dataset_sample": (Whose.ONES_OWN, POST),
    "training:dataset_detail": (Whose.THE_OWNERS, SAFE),
    "training:dataset_add": (Whose.THE_OWNERS, POST),
    "training:dataset_known": (Whose.THE_OWNERS, POST),
    "training:dataset_files": (Whose.THE_OWNERS, SAFE),
    "training:dataset_delete": (Whose.THE_OWNERS, FORM),
    "training:dataset_crop": (Whose.THE_OWNERS, FORM),
    "training:dataset_crop_pictures": (Whose.THE_OWNERS, POST),
    "training:image_crop": (Whose.THE_OWNERS, FORM),
    "training:image_cut": (Whose.THE_OWNERS, SAFE),
    "training:image_show": (Whose.THE_OWNERS, SAFE),
    "training:dataset_edit": (Whose.THE_OWNERS, FORM),
    "training:image_detail": (Whose.THE_OWNERS, SAFE),
    "training:dataset_remove": (Whose.THE_OWNERS, POST),
    "training:dataset_groups": (Whose.THE_OWNERS, SAFE),
    "training:dataset_thin": (Whose.THE_OWNERS, FORM),
    "training:group_settle": (Whose.THE_OWNERS, POST),
    "training:dataset_captions": (Whose.THE_OWNERS, SAFE),
    "training:dataset_caption_words": (Whose.THE_OWNERS, POST),
    "training:dataset_caption_change": (Whose.THE_OWNERS, POST),
    "training:dataset_caption_import": (Whose.THE_OWNERS, POST),
    "training:dataset_caption_export": (Whose.THE_OWNERS, SAFE),
    "training:dataset_export": (Whose.THE_OWNERS, SAFE),
    "training:image_caption": (Whose.THE_OWNERS, POST),
    "training:withdrawal_list": (Whose.ONES_OWN, SAFE),
    "training:dataset_rights": (Whose.THE_OWNERS, FORM),
    "training:dataset_withdraw": (Whose.THE_OWNERS, SAFE),
    "training:dataset_withdraw_picture": (Whose.THE_OWNERS, FORM),
    "training:dataset_frozen": (Whose.THE_OWNERS, SAFE),
    "training:ai_training_list": (Whose.ONES_OWN, SAFE),
    "training:ai_training_create": (Whose.ONES_OWN, SAFE),
    "training:ai_training_pictures": (Whose.ONES_OWN, FORM),
    "training:ai_draft_dataset": (Whose.THE_OWNERS, FORM),
    "training:ai_draft_setup": (Whose.THE_OWNERS, FORM),
    "training:ai_draft_keyword": (Whose.THE_OWNERS, FORM),
    "training:ai_draft_start": (Whose.THE_OWNERS, FORM),
    "training:ai_draft_delete": (Whose.THE_OWNERS, FORM),
    "training:ai_training_detail": (Whose.THE_OWNERS, SAFE),
    "training:ai_training_stop": (Whose.THE_OWNERS, POST),
    "training:ai_training_resume": (Whose.THE_OWNERS, POST),
    "training:ai_training_sample": (Whose.THE_OWNERS, POST),
    "training:ai_training_snapshot": (Whose.THE_OWNERS, POST),
    "training:ai_training_delete": (Whose.THE_OWNERS, FORM),
    "training:ai_training_compare": (Whose.THE_OWNERS, SAFE),
    "training:ai_training_nearest": (Whose.THE_OWNERS, SAFE),
    "training:ai_snapshot_grid": (Whose.THE_OWNERS, SAFE),
    "training:ai_snapshot_save": (Whose.THE_OWNERS, POST),
    "training:ai_snapshot_lora": (Whose.THE_OWNERS, SAFE),
    "training:experiment_list": (Whose.ONES_OWN, SAFE),
    "training:experiment_create": (Whose.ONES_OWN, FORM),
    "training:draft_dataset": (Whose.THE_OWNERS, FORM),
    "training:draft_setup": (Whose.THE_OWNERS, FORM),
    "training:draft_start": (Whose.THE_OWNERS, FORM),
    "training:draft_delete": (Whose.THE_OWNERS, FORM),
    "training:experiment_detail": (Whose.THE_OWNERS, SAFE),
    "training:experiment_stop": (Whose.THE_OWNERS, POST),
    "training:experiment_resume": (Whose.THE_OWNERS, POST),
    "training:experiment_sample": (Whose.THE_OWNERS, POST),
    "training:experiment_snapshot": (Whose.THE_OWNERS, POST),
    "training:experiment_delete": (Whose.THE_OWNERS, FORM),
    "training:experiment_review": (Whose.THE_OWNERS, SAFE),
    "training:experiment_save": (Whose.THE_OWNERS, POST),
    "training:experiment_compare": (Whose.THE_OWNERS, SAFE),
    "training:experiment_nearest": (Whose.THE_OWNERS, SAFE),
    "training:experiment_film": (Whose.THE_OWNERS, SAFE),
    "training:experiment_film_make": (Whose.THE_OWNERS, POST),
    "training:experiment_film_file": (Whose.THE_OWNERS, SAFE),
    "training:snapshot_grid": (Whose.THE_OWNERS, SAFE),
    "training:snapshot_continue": (Whose.THE_OWNERS, POST),
    "generation:map_list": (Whose.EVERYBODYS, SAFE),
    "generation:map_detail": (Whose.THE_OWNERS_UNLESS_SHOWN, SAFE),
    "generation:map_beside": (Whose.THE_OWNERS_UNLESS_SHOWN, SAFE),
    "generation:network_map": (Whose.THE_OWNERS_UNLESS_SHOWN, SAFE),
    "generation:network_look": (Whose.THE_OWNERS_UNLESS_SHOWN, SAFE),
    "generation:look": (Whose.THE_OWNERS_UNLESS_SHOWN, SAFE),
    "generation:tiles_ask": (Whose.EVERYBODYS, POST),
    "generation:centre_find": (Whose.EVERYBODYS, POST),
    "generation:network_point_create": (Whose.THE_OWNERS, POST),
    "generation:looks_made": (Whose.THE_OWNERS_UNLESS_SHOWN, SAFE),
    "generation:point_create": (Whose.THE_OWNERS, POST),
    "generation:point_detail": (Whose.THE_OWNERS_UNLESS_SHOWN, SAFE),
    "generation:point_change": (Whose.THE_OWNERS, POST),
    "generation:point_delete": (Whose.THE_OWNERS, FORM),
    "generation:direction_names": (Whose.THE_OWNERS, POST),
    "generation:point_keep": (Whose.THE_OWNERS, POST),
    "generation:point_nearest": (Whose.THE_OWNERS, SAFE),
    "generation:memorisation_detail": (Whose.THE_OWNERS, FORM),
    "generation:projection_create": (Whose.THE_OWNERS, FORM),
    "generation:projection_detail": (Whose.THE_OWNERS, SAFE),
    "generation:projection_stop": (Whose.THE_OWNERS, POST),
    "generation:projection_resume": (Whose.THE_OWNERS, POST),
    "generation:projection_delete": (Whose.THE_OWNERS, FORM),
    "generation:projection_picture": (Whose.THE_OWNERS, SAFE),
    "generation:walk_create": (Whose.THE_OWNERS, FORM),
    "generation:walk_list": (Whose.ONES_OWN, SAFE),
    "generation:walk_detail": (Whose.THE_OWNERS_UNLESS_SHOWN, SAFE),
    "generation:walk_file": (Whose.THE_OWNERS_UNLESS_SHOWN, SAFE),
    "generation:walk_poster": (Whose.THE_OWNERS_UNLESS_SHOWN, SAFE),
    "generation:walk_share": (Whose.THE_OWNERS, POST),
    "generation:walk_stop": (Whose.THE_OWNERS, POST),
    "generation:walk_delete": (Whose.THE_OWNERS, FORM),
    "generation:generation_create": (Whose.ONES_OWN, FORM),
    "generation:generation_hints": (Whose.ONES_OWN, POST),
    "generation:seeds_create": (Whose.ONES_OWN, FORM),
    "generation:generation_settings": (Whose.ONES_OWN, POST),
    "generation:upscale_start": (Whose.ONES_OWN, POST),
    "generation:generation_start": (Whose.THE_OWNERS, SAFE),
    "generation:generation_detail": (Whose.THE_OWNERS, SAFE),
    "generation:generation_stop": (Whose.THE_OWNERS, POST),
    "generation:picture_list": (Whose.ONES_OWN, SAFE),
    "generation:picture_download": (Whose.ONES_OWN, POST),
    "generation:picture_detail": (Whose.THE_OWNERS, SAFE),
    "generation:picture_image": (Whose.THE_OWNERS, SAFE),
    "generation:picture_favourite": (Whose.THE_OWNERS, POST),
    "generation:picture_upscale": (Whose.THE_OWNERS, POST),
    "generation:picture_choose": (Whose.ONES_OWN, POST),
    "generation:picture_compare": (Whose.THE_OWNERS, SAFE),
    "generation:picture_delete": (Whose.THE_OWNERS, FORM),
}


def _patterns(patterns: list[URLPattern | URLResolver], spaces: tuple[str, ...] = ()) -> Iterator[str]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            inner = (*spaces, pattern.namespace) if pattern.namespace else spaces
            yield from _patterns(pattern.url_patterns, inner)
        else:
            yield ":".join([*spaces, pattern.name or str(pattern.pattern)])


ALL_NAMES = sorted(set(_patterns(get_resolver().url_patterns)))
ADMIN_NAMES = [name for name in ALL_NAMES if name.startswith("admin:")]


def _whose(name: str) -> Whose:
    if name in APP_URLS:
        return APP_URLS[name][0]
    if name.startswith("admin:"):
        return Whose.STAFFS
    if name.startswith(("account_", "mfa_", "usersessions_")):
        return Whose.ALLAUTHS
    pytest.fail(f"{name} is new: say in APP_URLS whose it is, and which methods it takes.")


@pytest.fixture
def world(owner, tmp_path) -> World:
    return build_world(owner, tmp_path)


def _address(name: str, world: World) -> str:
    """The address of the owner's thing."""
    model = {"handle": world.owner.handle, "name": world.version.model.name}
    ai_snapshot = {"pk": world.ai_training.pk, "snapshot_pk": world.ai_snapshot.pk}
    pk = {
        "ai_training": world.ai_training.pk,
        "ai_draft": world.ai_draft.pk,
        "dataset": world.dataset.pk,
        "image": world.dataset.pk,
        "experiment": world.experiment.pk,
        "snapshot": world.experiment.pk,
        "draft": world.draft.pk,
        "generation": world.generation.pk,
        "picture": world.picture.pk,
        "point": world.point.pk,
        "projection": world.projection.pk,
        "run": world.run.pk,
        "workspace": world.workspace.pk,
        "chain": world.chain.pk,
        "mix": world.mix.pk,
        "walk": world.walk.pk,
    }
    network = version_key(world.version.pk)
    special = {
        "account_download_part": {"name": "account"},
        "legal_detail": {"slug": "privacy"},
        "guide_detail": {"slug": "machine-learning-models"},
        "catalog:import_detail": {"pk": world.imported.pk},
        "catalog:import_discard": {"pk": world.imported.pk},
        "catalog:picture_show": {**model, "pk": world.model_picture.pk},
        "catalog:bundle_download": {**model, "number": 1},
        "catalog:onnx_export": {**model, "number": 1},
        "catalog:run_download": {"pk": world.run.pk, "layout": "json"},
        "catalog:run_result": {"pk": world.run.pk, "result_pk": world.run_result.pk},
        "catalog:run_given": {"pk": world.run.pk, "position": 0},
        "catalog:version_detail": {**model, "number": 1},
        "catalog:picture_change": {**model, "pk": world.model_picture.pk},
        "catalog:file_download": {**model, "path": "g_ema.safetensors"},
        "training:dataset_sample": {"family": "cats"},
        "training:image_crop": {"pk": world.dataset.pk, "image_pk": world.image.pk},
        "training:image_cut": {"pk": world.dataset.pk, "image_pk": world.image.pk},
        "training:dataset_export": {"pk": world.dataset.pk, "layout": "csv"},
        "training:dataset_caption_export": {"pk": world.dataset.pk, "layout": "csv"},
        "training:image_caption": {"pk": world.dataset.pk, "image_pk": world.image.pk},
        "training:dataset_withdraw_picture": {"pk": world.dataset.pk, "sha256": world.image.sha256},
        "training:dataset_frozen": {"pk": world.dataset.pk, "sha256": TAKEN_OUT},
        "training:image_show": {"pk": world.dataset.pk, "image_pk": world.image.pk, "size": "full"},
        "training:image_detail": {"pk": world.dataset.pk, "image_pk": world.image.pk},
        "training:group_settle": {"pk": world.dataset.pk, "group": world.image.likeness_group},
        "training:snapshot_grid": {"pk": world.experiment.pk, "snapshot_pk": world.snapshot.pk},
        "training:ai_training_pictures": {"purpose": "object"},
        "training:ai_snapshot_grid": ai_snapshot,
        "training:ai_snapshot_save": ai_snapshot,
        "training:ai_snapshot_lora": {**ai_snapshot, "naming": "diffusers"},
        "training:snapshot_continue": {"pk": world.experiment.pk, "snapshot_pk": world.snapshot.pk},
        "generation:map_detail": model,
        "generation:network_map": {"key": network},
        "generation:network_point_create": {"key": network},
        "generation:network_look": {"network": network, "key": LOOK_KEY},
        "generation:look": {**model, "number": 1, "key": LOOK_KEY},
        "generation:walk_create": model,
        "generation:walk_file": {"pk": world.walk.pk, "ending": "zip"},
        "generation:generation_start": {"pk": world.generation.pk, "part": "source"},
        "generation:looks_made": {"key": f"version:{world.version.pk}"},
        "generation:point_create": model,
        "generation:direction_names": model,
        "generation:memorisation_detail": model,
        "generation:projection_create": model,
        "generation:projection_picture": {"pk": world.projection.pk, "step": 25},
        "generation:picture_image": {"pk": world.picture.pk, "ending": "png"},
        "generation:picture_compare": {"pk": world.picture.pk, "other": world.picture.pk},
    }
    if name == "generation:map_beside":
        return f"{reverse(name)}?a={network}&b={network}"
    if name == "catalog:run_sent":
        return f"{reverse(name)}?source=result:{world.run_result.pk}"
    if name in special:
        return reverse(name, kwargs=special[name])
    if _whose(name) in (Whose.EVERYBODYS, Whose.ONES_OWN, Whose.ONES_OWN_ONCE_MORE, Whose.STRIPES):
        return reverse(name)
    thing = name.partition(":")[2]
    is_of_a_model = thing == "run_create" or not thing.startswith(("run_", "workspace_", "chain_", "mix_"))
    if name.startswith("catalog:") and is_of_a_model:
        return reverse(name, kwargs=model)
    return reverse(name, kwargs={"pk": next(key for start, key in pk.items() if thing.startswith(start))})


def _ask(client: Client, method: str, address: str):
    """Ask once and undo whatever it did."""
    with transaction.atomic():
        response = client.generic(method, address)
        if response.streaming:
            response.getvalue()  # closes the file
        transaction.set_rollback(True)
    return response


def _goes_to_sign_in(response) -> bool:
    return response.status_code == 302 and response["Location"].startswith("/account/login/?next=")


def test_every_address_says_whose_it_is():
    for name in ALL_NAMES:
        assert _whose(name)
    assert set(APP_URLS) <= set(ALL_NAMES), "APP_URLS names an address that is no more"


def test_the_owner_is_answered(world, owner_client):
    for name, (kind, allowed) in APP_URLS.items():
        for method in METHODS:
            status = _ask(owner_client, method, _address(name, world)).status_code
            if method not in allowed:
                assert status == 405, (name, method)
            elif kind is Whose.ONES_OWN_ONCE_MORE:
                assert status == 302, (name, method)
            elif method in SAFE:
                assert status == 200, (name, method)
            else:
                assert status in (200, 302, 303, 400, 409, 422), (name, method)


@pytest.mark.parametrize("who", ["stranger", "staff"])
def test_for_others_it_does_not_exist(who, world, request):
    client = Client()
    client.force_login(request.getfixturevalue(who))
    for name, (kind, allowed) in APP_URLS.items():
        for method in METHODS:
            response = _ask(client, method, _address(name, world))
            if method not in allowed:
                assert response.status_code == 405, (name, method)
            elif kind in (Whose.THE_OWNERS, Whose.THE_OWNERS_UNLESS_SHOWN):
                assert response.status_code == 404, (name, method)
            else:
                assert response.status_code < 500, (name, method)
                assert world.owner.email not in response.content.decode(errors="replace")


def test_somebody_unknown_is_sent_to_sign_in(world, client):
    for name, (kind, allowed) in APP_URLS.items():
        for method in METHODS:
            response = _ask(client, method, _address(name, world))
            if method not in allowed:
                assert response.status_code == 405, (name, method)
            elif kind is Whose.EVERYBODYS:
                # A form without what it asks for is shown again.
                assert response.status_code in (200, *(422,) * (method == "POST")), (name, method)
            elif kind is Whose.THE_OWNERS_UNLESS_SHOWN:
                assert response.status_code == 404, (name, method)
            elif kind is Whose.STRIPES:
                assert response.status_code == 400, (name, method)
            else:
                assert _goes_to_sign_in(response), (name, method)


def test_a_fragment_of_somebody_unknown_moves_the_whole_page(world, client):
    headers = {"HX-Request": "true", "HX-Current-URL": "http://testserver/datasets/"}
    for name, (kind, allowed) in APP_URLS.items():
        if "GET" in allowed and kind in (Whose.ONES_OWN, Whose.ONES_OWN_ONCE_MORE, Whose.THE_OWNERS):
            response = client.get(_address(name, world), {"rev": "1"}, headers=headers)
            assert response["HX-Redirect"] == "/account/login/?next=/datasets/", name


def _admin_address(name: str, world: World) -> str:
    given = {
        "admin:app_list": {"app_label": "accounts"},
        "admin:view_on_site": {"content_type_id": 1, "object_id": 1},
        "admin:auth_user_password_change": {"id": world.owner.pk},
        "admin:jobs_job_act": {"object_id": world.owner.pk, "act_name": "cancel"},
        "admin:jobs_job_give_back": {"object_id": world.owner.pk},
        "admin:jobs_machine_act": {"object_id": world.owner.pk, "act_name": "drain"},
        "admin:catalog_catalogmodel_act": {"object_id": world.owner.pk, "act_name": "feature"},
        "admin:catalog_publicationrequest_act": {"object_id": 1, "act_name": "approve"},
        "admin:catalog_modelreport_act": {"object_id": 1, "act_name": "uphold"},
    }
    if name in given:
        return reverse(name, kwargs=given[name])
    if "(" in name or "<" in name:  # the patterns without a name, which catch what is left
        return "/admin/nowhere/"
    if name.endswith(("_change", "_delete", "_history")) and name != "admin:password_change":
        return reverse(name, kwargs={"object_id": world.owner.pk})
    return reverse(name)


def test_administration_does_not_exist_for_others(world, client, owner_client):
    for name in ADMIN_NAMES:
        address = _admin_address(name, world)
        for method in METHODS:
            assert _ask(owner_client, method, address).status_code in (404, 405), (name, method)
            response = _ask(client, method, address)
            assert response.status_code in (302, 404, 405), (name, method)
            if response.status_code == 302:
                assert response["Location"].startswith(("/account/login/", "/admin/")), (name, method)


def test_administration_answers_staff(world, staff):
    client = Client()
    client.force_login(staff)
    for name in ADMIN_NAMES:
        if name != "admin:view_on_site":  # leads to a page of ours, which has its own rules
            status = _ask(client, "GET", _admin_address(name, world)).status_code
            assert status in (200, 302, 403, 404, 405), name


LOAD_EVERYTHING = """
import json, os, sys
HEAVY = ("torch", "diffusers", "transformers", "onnx", "onnxruntime")
import django
django.setup()
from django.test import Client
from accounts.models import User
given = json.load(sys.stdin)
client = Client()
client.force_login(User.objects.get(email=given["email"]))
for address in given["addresses"]:
    status = client.get(address).status_code
    assert status == 200, (address, status)
loaded = [name for name in sys.modules if name.partition(".")[0] in HEAVY]
assert not loaded, loaded
"""


@pytest.mark.django_db(transaction=True)
def test_no_page_loads_torch(make_user, tmp_path, process_environment):
    owner = make_user()
    world = build_world(owner, tmp_path)
    # What asks for the password first answers nothing else here.
    asked = {name: kind for name, (kind, methods) in APP_URLS.items() if "GET" in methods}
    names = [name for name, kind in asked.items() if kind is not Whose.ONES_OWN_ONCE_MORE]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", LOAD_EVERYTHING],
        input=json.dumps({"email": owner.email, "addresses": [_address(name, world) for name in names]}),
        # The files of this test are in the storage of a studio whose data lie in `tmp_path`.
        env={**process_environment, "ATELIER_TEST_DATA": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
