"""Addresses of the catalog; included at the root, since a model's address is everybody's."""

from django.urls import path, register_converter

from catalog import (
    bundle_views,
    directory_views,
    edit_views,
    import_views,
    mix_views,
    publishing_views,
    run_views,
    verify_views,
    views,
    workspace_views,
)

app_name = "catalog"


class RunLayout:
    """The files in which a run's results can be had."""

    regex = "zip|csv|json"

    def to_python(self, value: str) -> str:
        """Keep it as it is."""
        return value

    def to_url(self, value: str) -> str:
        """Keep it as it is."""
        return value


register_converter(RunLayout, "run_layout")

urlpatterns = [
    path("models/", views.list_models, name="model_list"),
    path("verify/", verify_views.verify, name="verify"),
    path("verify/keys.txt", verify_views.show_keys, name="verify_keys"),
    path("models/import/", import_views.create_import, name="import_create"),
    path("models/import/<uuid:pk>/", import_views.show_import, name="import_detail"),
    path("models/import/<uuid:pk>/discard/", import_views.discard_import, name="import_discard"),
    path("models/mix/", mix_views.create_mix, name="mix_create"),
    path("models/mix/<uuid:pk>/", mix_views.show_mix, name="mix_detail"),
    path("models/mix/<uuid:pk>/weigh/", mix_views.weigh_mix, name="mix_weigh"),
    path("models/mix/<uuid:pk>/make/", mix_views.make_model, name="mix_make"),
    path("models/mix/<uuid:pk>/discard/", mix_views.discard_mix, name="mix_discard"),
    path("models/mix/<uuid:pk>/preview.webp", mix_views.serve_preview, name="mix_preview"),
    path("catalog/", directory_views.browse_catalog, name="model_browse"),
    path("catalog/<slug:handle>/<slug:name>/", views.show_model, name="model_detail"),
    path("catalog/<slug:handle>/<slug:name>/versions/", views.list_versions, name="model_versions"),
    path(
        "catalog/<slug:handle>/<slug:name>/versions/<int:number>/", views.show_version, name="version_detail"
    ),
    path("catalog/<slug:handle>/<slug:name>/files/", views.list_files, name="model_files"),
    path("catalog/<slug:handle>/<slug:name>/license/", views.show_licence, name="model_licence"),
    path("catalog/<slug:handle>/<slug:name>/attribution/", views.show_attribution, name="model_attribution"),
    path("catalog/<slug:handle>/<slug:name>/edit/", edit_views.edit_model, name="model_edit"),
    path("catalog/<slug:handle>/<slug:name>/pictures/", edit_views.add_pictures, name="picture_add"),
    path(
        "catalog/<slug:handle>/<slug:name>/pictures/<uuid:pk>/change/",
        edit_views.change_picture,
        name="picture_change",
    ),
    path("catalog/<slug:handle>/<slug:name>/rename/", views.rename_model, name="model_rename"),
    path("catalog/<slug:handle>/<slug:name>/delete/", views.delete_model, name="model_delete"),
    path("catalog/<slug:handle>/<slug:name>/lineage/", publishing_views.show_lineage, name="model_lineage"),
    path("catalog/<slug:handle>/<slug:name>/publish/", publishing_views.publish_model, name="model_publish"),
    path(
        "catalog/<slug:handle>/<slug:name>/publish/take-back/",
        publishing_views.take_back_request,
        name="request_take_back",
    ),
    path(
        "catalog/<slug:handle>/<slug:name>/withdraw/", publishing_views.withdraw_model, name="model_withdraw"
    ),
    path("catalog/<slug:handle>/<slug:name>/report/", publishing_views.report_model, name="model_report"),
    path("catalog/<slug:handle>/<slug:name>/run/", run_views.create_run, name="run_create"),
    path("workspaces/", workspace_views.list_workspaces, name="workspace_list"),
    path("workspaces/new/", workspace_views.create_workspace, name="workspace_create"),
    path("workspaces/<uuid:pk>/", workspace_views.show_workspace, name="workspace_detail"),
    path("workspaces/<uuid:pk>/edit/", workspace_views.edit_workspace, name="workspace_edit"),
    path("workspaces/<uuid:pk>/delete/", workspace_views.delete_workspace, name="workspace_delete"),
    path("workspaces/<uuid:pk>/models/", workspace_views.change_shelf, name="workspace_shelf"),
    path("workspaces/<uuid:pk>/chains/new/", workspace_views.create_chain, name="workspace_chain"),
    path("chains/<uuid:pk>/", workspace_views.run_chain, name="chain_detail"),
    path("chains/<uuid:pk>/edit/", workspace_views.edit_chain, name="chain_edit"),
    path("chains/<uuid:pk>/delete/", workspace_views.delete_chain, name="chain_delete"),
    path("runs/", run_views.list_runs, name="run_list"),
    path("runs/send/", run_views.send_on, name="run_send"),
    path("runs/sent.png", run_views.serve_sent, name="run_sent"),
    path("runs/<uuid:pk>/", run_views.show_run, name="run_detail"),
    path("runs/<uuid:pk>/stop/", run_views.stop_run, name="run_stop"),
    path("runs/<uuid:pk>/delete/", run_views.remove_run, name="run_delete"),
    path("runs/<uuid:pk>/results.<run_layout:layout>", run_views.download_run, name="run_download"),
    path("runs/<uuid:pk>/results/<uuid:result_pk>.png", run_views.serve_result, name="run_result"),
    path("runs/<uuid:pk>/given/<int:position>.png", run_views.serve_given, name="run_given"),
    path(
        "catalog/<slug:handle>/<slug:name>/bundles/<int:number>.zip",
        bundle_views.download_bundle,
        name="bundle_download",
    ),
    path(
        "catalog/<slug:handle>/<slug:name>/onnx/<int:number>.zip",
        bundle_views.export_onnx,
        name="onnx_export",
    ),
    path(
        "catalog/<slug:handle>/<slug:name>/pictures/<uuid:pk>/",
        import_views.show_picture,
        name="picture_show",
    ),
    path("catalog/<slug:handle>/<slug:name>/files/<path:path>", views.download_file, name="file_download"),
]
