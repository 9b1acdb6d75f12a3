"""The lines of a crop over a picture, and what a crop is for."""

from django import template
from django.utils.functional import Promise

from training.crops import Overlay, boxes_in_force, overlay
from training.models import DatasetImage
from training.previews import CROP_TEXTS

register = template.Library()


@register.simple_tag
def crop_overlay(picture: DatasetImage, dataset_crop: str) -> Overlay:
    """What of a picture is cut as things stand."""
    return overlay(picture, boxes_in_force(picture, dataset_crop))


@register.simple_tag
def crop_text(crop: str) -> Promise:
    """One sentence on what a crop does, and what for."""
    return CROP_TEXTS[crop]
