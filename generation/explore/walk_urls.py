"""Addresses of walks. Included by `generation.urls`."""

from django.urls import path, register_converter

from generation.explore import walk_views
from generation.explore.walks import FORMATS


class WalkEnding:
    """The endings of files of walks."""

    regex = "|".join(FORMATS)

    def to_python(self, value: str) -> str:
        """Keep it as it is."""
        return value

    def to_url(self, value: str) -> str:
        """Keep it as it is."""
        return value


register_converter(WalkEnding, "walk_ending")

urlpatterns = [
    path("catalog/<slug:handle>/<slug:name>/walk/", walk_views.create_walk, name="walk_create"),
    path("walks/", walk_views.list_walks, name="walk_list"),
    path("walks/<uuid:pk>/", walk_views.show_walk, name="walk_detail"),
    path("walks/<uuid:pk>/walk.<walk_ending:ending>", walk_views.serve_walk, name="walk_file"),
    path("walks/<uuid:pk>/poster.webp", walk_views.serve_poster, name="walk_poster"),
    path("walks/<uuid:pk>/share/", walk_views.share_walk, name="walk_share"),
    path("walks/<uuid:pk>/stop/", walk_views.stop_walk, name="walk_stop"),
    path("walks/<uuid:pk>/delete/", walk_views.remove_walk, name="walk_delete"),
]
