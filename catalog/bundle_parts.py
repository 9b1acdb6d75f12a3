"""What a model's page offers to take home."""

from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.models import User
from catalog.bundles import bundle_name, command_line
from catalog.models import ModelVersion
from catalog.services import exports
from engines.diffusion.manifests import KOHYA_FILE, LORA_FILE


def tell_bundle(version: ModelVersion, viewer: User | AnonymousUser) -> dict[str, Any]:
    """Return where the bundle is, how it is run, and of a LoRA its files by who reads them. Two queries."""
    model = version.model
    place = [model.owner.handle, model.name]
    labels = {LORA_FILE: _("LoRA for diffusers"), KOHYA_FILE: _("LoRA for ComfyUI and others")}
    present = version.files.filter(path__in=labels).values_list("path", flat=True)
    return {
        "url": reverse("catalog:bundle_download", args=[*place, version.number]),
        "number": version.number,
        "size": version.size_bytes,
        "command": command_line(version, bundle_name(version)),
        "files": [
            {
                "label": label,
                "url": f"{reverse('catalog:file_download', args=[*place, path])}?v={version.sha256}&download",
            }
            for path, label in labels.items()
            if path in present
        ],
        **_tell_onnx(version, viewer),
    }


def _tell_onnx(version: ModelVersion, viewer: User | AnonymousUser) -> dict[str, Any]:
    """Of a generator: where its ONNX file is or can be asked for, and whether it is being made."""
    if not exports.can_export(version):
        return {}
    place = [version.model.owner.handle, version.model.name, version.number]
    is_there = exports.has_export(version)
    return {
        "onnx": reverse("catalog:onnx_export", args=place),
        "has_onnx": is_there,
        "onnx_job": None if is_there else exports.export_under_way(version),
        "may_ask": viewer.is_authenticated,
    }
