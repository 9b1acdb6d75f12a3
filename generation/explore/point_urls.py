"""Addresses of points and projections. Included by `generation.urls`."""

from django.urls import path

from generation.explore import memorising_views, nearest_views, point_views, projection_views

urlpatterns = [
    path("catalog/<slug:handle>/<slug:name>/points/", point_views.create_point, name="point_create"),
    path(
        "catalog/<slug:handle>/<slug:name>/directions/", point_views.name_directions, name="direction_names"
    ),
    path("explore/<str:key>/made/", point_views.tell_made, name="looks_made"),
    path("explore/<str:key>/points/", point_views.create_network_point, name="network_point_create"),
    path("points/<uuid:pk>/", point_views.show_point, name="point_detail"),
    path("points/<uuid:pk>/change/", point_views.change_point, name="point_change"),
    path("points/<uuid:pk>/delete/", point_views.delete_point, name="point_delete"),
    path("points/<uuid:pk>/keep/", point_views.keep_picture, name="point_keep"),
    path("points/<uuid:pk>/nearest/", nearest_views.show_nearest, name="point_nearest"),
    path(
        "catalog/<slug:handle>/<slug:name>/memorisation/",
        memorising_views.show_memorisation,
        name="memorisation_detail",
    ),
    path(
        "catalog/<slug:handle>/<slug:name>/project/",
        projection_views.create_projection,
        name="projection_create",
    ),
    path("projections/<uuid:pk>/", projection_views.show_projection, name="projection_detail"),
    path("projections/<uuid:pk>/stop/", projection_views.stop_projection, name="projection_stop"),
    path("projections/<uuid:pk>/resume/", projection_views.resume_projection, name="projection_resume"),
    path("projections/<uuid:pk>/delete/", projection_views.delete_projection, name="projection_delete"),
    path(
        "projections/<uuid:pk>/pictures/<int:step>/",
        projection_views.serve_projection_picture,
        name="projection_picture",
    ),
]
