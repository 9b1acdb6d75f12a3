"""Addresses of making pictures and of the gallery; included at the root."""

from django.urls import include, path, register_converter

from generation import gallery_views, text_views, views
from generation.downloads import FORMATS

app_name = "generation"


class ImageEnding:
    """The endings under which a picture can be had."""

    regex = "|".join(FORMATS)

    def to_python(self, value: str) -> str:
        """Keep it as it is."""
        return value

    def to_url(self, value: str) -> str:
        """Keep it as it is."""
        return value


class StartPart:
    """What an order may have started from: a picture, and a mask on it."""

    regex = "source|mask"

    def to_python(self, value: str) -> str:
        """Keep it as it is."""
        return value

    def to_url(self, value: str) -> str:
        """Keep it as it is."""
        return value


register_converter(ImageEnding, "image_ending")
register_converter(StartPart, "start_part")

urlpatterns = [
    path("", include("generation.explore.urls")),
    path("", include("generation.explore.point_urls")),
    path("", include("generation.explore.walk_urls")),
    path("generate/", text_views.create_from_text, name="generation_create"),
    path("generate/hints/", text_views.tell_hints, name="generation_hints"),
    path("generate/settings/", text_views.recall_settings, name="generation_settings"),
    path("generate/upscale/", text_views.upscale_start, name="upscale_start"),
    path("generate/seeds/", views.create_from_seeds, name="seeds_create"),
    path("generate/<uuid:pk>/", views.show_generation, name="generation_detail"),
    path("generate/<uuid:pk>/stop/", views.stop_generation, name="generation_stop"),
    path("generate/<uuid:pk>/<start_part:part>.png", text_views.serve_start, name="generation_start"),
    path("gallery/", gallery_views.list_pictures, name="picture_list"),
    path("gallery/download/", gallery_views.download_pictures, name="picture_download"),
    path("gallery/compare/", gallery_views.choose_pictures, name="picture_choose"),
    path("gallery/<uuid:pk>/compare/<uuid:other>/", gallery_views.compare_pictures, name="picture_compare"),
    path("gallery/<uuid:pk>/", gallery_views.show_picture, name="picture_detail"),
    path("gallery/<uuid:pk>/image.<image_ending:ending>", gallery_views.serve_picture, name="picture_image"),
    path("gallery/<uuid:pk>/favourite/", gallery_views.mark_favourite, name="picture_favourite"),
    path("gallery/<uuid:pk>/upscale/", text_views.upscale_picture, name="picture_upscale"),
    path("gallery/<uuid:pk>/delete/", gallery_views.delete_picture, name="picture_delete"),
]
