"""Addresses of the catalog; included at the root, since a model's address is everybody's."""

from django.urls import path

from catalog import views

app_name = "catalog"
urlpatterns = [
    path("models/", views.list_models, name="model_list"),
    path("catalog/", views.browse_catalog, name="model_browse"),
    path("catalog/<slug:handle>/<slug:name>/", views.show_model, name="model_detail"),
    path("catalog/<slug:handle>/<slug:name>/rename/", views.rename_model, name="model_rename"),
    path("catalog/<slug:handle>/<slug:name>/delete/", views.delete_model, name="model_delete"),
    path("catalog/<slug:handle>/<slug:name>/files/<path:path>", views.download_file, name="file_download"),
]
