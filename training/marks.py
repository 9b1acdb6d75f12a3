"""What stands out about a picture: the marks on its tile, and what the list is filtered by.

The database judges: a mark is a condition on the row, so a page of pictures comes with its marks and
a filter with its pictures, in one query. `training.tallies` counts by the same thresholds.
"""

from collections.abc import Mapping

from django.db.models import BooleanField, ExpressionWrapper, F, Q, QuerySet, TextChoices
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from engines.measures import BLURRED_ABOVE
from training.models import DatasetImage, Purpose


class Mark(TextChoices):
    """What may be wrong with a picture, or be meant."""

    BLURRED = "blurred", _("Blurred")
    DARK = "dark", _("Dark")
    BRIGHT = "bright", _("Washed out")
    FLAT = "flat", _("Pale")
    SMALL = "small", _("Small")
    LONG = "long", _("Long")
    ALIKE = "alike", _("Alike")


_ADVICE: dict[Mark, Promise] = {
    Mark.BLURRED: _("It looks blurred, and a model learns blur too. Remove it unless it is meant so."),
    Mark.DARK: _("It is very dark. A lighter take teaches more."),
    Mark.BRIGHT: _("It is washed out. A darker take teaches more."),
    Mark.FLAT: _("It has hardly any contrast. A clearer take teaches more."),
    Mark.SMALL: _("One of its sides is short: training enlarges it, and it gets soft. Find a larger copy."),
    Mark.LONG: _("One side is more than twice the other. Choose under Crop which part is seen."),
    Mark.ALIKE: _("Another picture is nearly the same. Keep one of the two, unless both are meant."),
}

# Mean grey level below and above which a picture is dark or washed out, unless it has this much contrast:
# a night with lights, or a product before white, is meant so.
DARK_BELOW, BRIGHT_ABOVE, CONTRAST_MEANT = 0.2, 0.8, 0.15
# Contrast below which there is little to learn from.
FLAT_BELOW = 0.06
# A shorter side of fewer pixels is enlarged for training, and blurred by that.
SMALL_BELOW: Mapping[str, int] = {
    Purpose.EXPERIMENT: 128,
    Purpose.CHARACTER: 512,
    Purpose.STYLE: 512,
    Purpose.OBJECT: 512,
}
# A square shows less than half of a picture whose longer side is more than so many times the shorter.
LONG_ABOVE = 2


def condition(mark: str, purpose: str) -> Q:
    """The condition on a DatasetImage. Raises ValueError for what is no mark."""
    side = SMALL_BELOW[purpose]
    conditions = {
        Mark.BLURRED: Q(blur__gt=BLURRED_ABOVE),
        Mark.DARK: Q(brightness__lt=DARK_BELOW, contrast__lt=CONTRAST_MEANT),
        Mark.BRIGHT: Q(brightness__gt=BRIGHT_ABOVE, contrast__lt=CONTRAST_MEANT),
        Mark.FLAT: Q(contrast__lt=FLAT_BELOW),
        Mark.SMALL: Q(width__lt=side) | Q(height__lt=side),
        Mark.LONG: Q(width__gt=F("height") * LONG_ABOVE) | Q(height__gt=F("width") * LONG_ABOVE),
        Mark.ALIKE: Q(likeness_group__isnull=False),
    }
    return conditions[Mark(mark)]


def with_marks(pictures: QuerySet[DatasetImage], purpose: str) -> QuerySet[DatasetImage]:
    """The pictures, each with what `marks_of` reads."""
    judged = {
        _attribute(mark): ExpressionWrapper(condition(mark, purpose), output_field=BooleanField())
        for mark in Mark
    }
    return pictures.annotate(**judged)


def marks_of(picture: DatasetImage) -> list[Mark]:
    """The marks of a picture out of `with_marks`."""
    return [mark for mark in Mark if getattr(picture, _attribute(mark))]


def advice(mark: Mark) -> Promise:
    """The sentence that says what a mark means and what to do."""
    return _ADVICE[mark]


def _attribute(mark: Mark) -> str:
    return f"is_{mark.value}"
