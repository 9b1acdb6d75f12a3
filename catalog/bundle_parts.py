"""What a model's page offers to take home."""

from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.models import User
from catalog.bundles import bundle_name, command_line
from catalog.models import ModelVersion
from engines.diffusion.manifests import KOHYA_FILE, LORA_FILE


def tell_bundle(version: ModelVersion, _viewer: User | AnonymousUser) -> dict[str, Any]:
    """Return where the bundle is, how it is run, and of a LoRA its files by who reads them. One query."""
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
    }
