"""What stands out about a picture, on its tile."""

from django import template

from training.marks import Mark, marks_of
from training.models import DatasetImage

register = template.Library()


@register.filter
def marks(picture: DatasetImage) -> list[Mark]:
    """Turn a picture of a page into its marks."""
    return marks_of(picture)
