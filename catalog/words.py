"""What kinds and families are called on pages."""

from collections.abc import Sequence

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from engines.manifest import LORA, STYLEGAN2, STYLEGAN3, TEXT_TO_IMAGE
from engines.onnx.manifest import ONNX

KIND_TITLES: dict[str, str | Promise] = {
    "image": _("Image"),
    "text": _("Text"),
    "number": _("Number"),
    "vector": _("Vector"),
    "category": _("Category"),
    "labels": _("Labels"),
    "boxes": _("Boxes"),
    "json": _("Data (JSON)"),
}

FAMILY_TITLES: dict[str, str | Promise] = {
    STYLEGAN2: "StyleGAN2",
    STYLEGAN3: "StyleGAN3",
    TEXT_TO_IMAGE: _("Text-to-image base"),
    LORA: "LoRA",
    ONNX: "ONNX",
}

# Every family runs on processors; onnxruntime is installed for those alone.
DEVICES: dict[str, str | Promise] = {ONNX: _("CPU")}
DEVICES_OF_OTHERS: Promise = _("CPU and GPU")


def kind_titles(kinds: Sequence[str]) -> list[str | Promise]:
    """Return kinds of inputs or outputs in words."""
    return [KIND_TITLES.get(kind, kind) for kind in kinds]
