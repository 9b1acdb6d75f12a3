"""What tests of the form of Text to Image send."""

import io

from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from PIL import Image

URL = reverse("generation:generation_create")
HINTS = reverse("generation:generation_hints")
HTMX = {"HX-Request": "true"}


def upload(size=(64, 48), mode="RGB", colour="tan", file_format="PNG", **options):
    """A picture from somebody's disk."""
    buffer = io.BytesIO()
    Image.new(mode, size, colour).save(buffer, format=file_format, **options)
    return SimpleUploadedFile("a.png", buffer.getvalue())
