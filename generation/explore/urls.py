"""Addresses of exploring: maps, points, walks, projections. Included by `generation.urls`."""

from django.urls import path, register_converter

from generation.explore import map_views, place_views


class LookKey:
    """The key of a picture: a SHA-256."""

    regex = "[0-9a-f]{64}"

    def to_python(self, value: str) -> str:
        """Keep it as it is."""
        return value

    def to_url(self, value: str) -> str:
        """Keep it as it is."""
        return value


class NetworkKey(LookKey):
    """The key of a network (`catalog.generators`)."""

    regex = "[a-z]{1,20}:[0-9a-f-]{36}"


register_converter(LookKey, "look_key")
register_converter(NetworkKey, "network_key")

urlpatterns = [
    path("explore/", place_views.list_maps, name="map_list"),
    path("explore/beside/", place_views.show_beside, name="map_beside"),
    path("explore/tiles/", map_views.ask_tiles, name="tiles_ask"),
    path("explore/centre/", map_views.find_centre, name="centre_find"),
    path("explore/<network_key:key>/map/", map_views.show_network_map, name="network_map"),
    path(
        "explore/<network_key:network>/looks/<look_key:key>.webp",
        map_views.serve_network_look,
        name="network_look",
    ),
    path("catalog/<slug:handle>/<slug:name>/map/", map_views.show_map, name="map_detail"),
    path(
        "catalog/<slug:handle>/<slug:name>/looks/<int:number>/<look_key:key>.webp",
        map_views.serve_look,
        name="look",
    ),
]
