"""What publishers put on a model's page: texts, people, pictures."""

import io
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import IO, Any

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import Max
from django.utils.translation import gettext as _
from PIL import Image

from catalog.exceptions import PictureNotTaken
from catalog.model_pictures import new_key
from catalog.models import Attribution, CatalogModel, ModelPicture
from catalog.pictures import PictureLimits, PictureRefused, read_picture
from catalog.registry import room_refusal

MAX_PICTURES = 24
_SIDE = 1600  # pixels; what a page shows at most, twice as fine
_QUALITY = 88


@dataclass(frozen=True, kw_only=True)
class Person:
    """Somebody who is behind a model, and what they did."""

    name: str
    role: str
    link: str = ""


@transaction.atomic
def edit_page(*, model: CatalogModel, texts: Mapping[str, Any], people: Iterable[Person]) -> None:
    """Write the texts of a model's page, by the names of its columns, and those who are behind it."""
    for column, value in texts.items():
        setattr(model, column, value)
    model.save(update_fields=[*texts, "updated_at"])
    model.attributions.all().delete()
    Attribution.objects.bulk_create(Attribution(model=model, **asdict(person)) for person in people)


def add_picture(*, model: CatalogModel, file: IO[bytes], caption: str = "") -> ModelPicture:
    """Put a picture at the end of a model's gallery, no larger than a page shows it.

    Nothing of the file is kept but its pixels. Effect: stores a WebP file, then inserts the row. Raises
    PictureNotTaken with the reason.
    """
    if model.pictures.count() >= MAX_PICTURES:
        told = _("A page has room for %(count)d pictures. Remove one first.")
        raise PictureNotTaken(told % {"count": MAX_PICTURES})
    try:
        image = read_picture(file, PictureLimits.current()).image
    except PictureRefused as refused:
        raise PictureNotTaken(str(refused)) from refused
    image.thumbnail((_SIDE, _SIDE), Image.Resampling.LANCZOS)
    stored = io.BytesIO()
    image.save(stored, "WEBP", quality=_QUALITY, method=4)
    refusal = room_refusal(model.owner, stored.tell())
    if refusal:
        raise PictureNotTaken(refusal)
    key = default_storage.save(new_key(model.pk, "webp"), ContentFile(stored.getvalue()))
    last = model.pictures.aggregate(last=Max("position"))["last"]
    return ModelPicture.objects.create(
        model=model,
        file=key,
        caption=caption,
        width=image.width,
        height=image.height,
        position=0 if last is None else last + 1,
    )


@transaction.atomic
def remove_picture(*, picture: ModelPicture) -> None:
    """Take a picture off its model's page; its file goes once that is committed."""
    picture.delete()
    transaction.on_commit(partial(default_storage.delete, picture.file))


@transaction.atomic
def move_picture(*, picture: ModelPicture, to_front: bool = False) -> None:
    """Let a picture change places with the one before it, or put it before all others."""
    pictures = list(ModelPicture.objects.select_for_update().filter(model=picture.model_id))
    place = next(number for number, one in enumerate(pictures) if one.pk == picture.pk)
    pictures.insert(0 if to_front else max(0, place - 1), pictures.pop(place))
    for number, one in enumerate(pictures):
        one.position = number
    ModelPicture.objects.bulk_update(pictures, ["position"])


def describe_picture(*, picture: ModelPicture, caption: str) -> None:
    """Write what stands below a picture."""
    picture.caption = caption
    picture.save(update_fields=["caption"])
