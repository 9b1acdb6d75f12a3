"""Addresses of points and projections. Included by `generation.urls`."""

from django.urls import path

from generation.explore import point_views

urlpatterns = [
    path("catalog/<slug:handle>/<slug:name>/points/", point_views.create_point, name="point_create"),
    path(
        "catalog/<slug:handle>/<slug:name>/directions/", point_views.name_directions, name="direction_names"
    ),
    path("points/<uuid:pk>/", point_views.show_point, name="point_detail"),
    path("points/<uuid:pk>/change/", point_views.change_point, name="point_change"),
    path("points/<uuid:pk>/delete/", point_views.delete_point, name="point_delete"),
]
