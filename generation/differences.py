"""What made a picture, in words, and what differs between two."""

from django.utils.translation import gettext as _

from engines.provenance import Provenance, Scalar
from generation.models import Picture
from generation.provenance import from_json

Difference = tuple[str, Scalar, Scalar]


def shown_settings(record: Provenance) -> list[tuple[str, Scalar]]:
    """Return what made a picture from text, in words, besides what its page tells anyway."""
    labels = {
        "Style": _("Style"),
        "Steps": _("Steps"),
        "Sampler": _("Sampler"),
        "CFG scale": _("Guidance"),
        "Denoising strength": _("How much was changed"),
        "Lora strength": _("Strength of the trained model"),
    }
    return [(label, record.settings[name]) for name, label in labels.items() if name in record.settings]


def differences(first: Picture, second: Picture) -> list[Difference]:
    """Return what the making of two pictures differs in: a label, and what it was for each."""
    ours, theirs = _told(first), _told(second)
    names = dict.fromkeys([*ours, *theirs])
    pairs = ((name, ours.get(name, ""), theirs.get(name, "")) for name in names)
    return [(name, one, other) for name, one, other in pairs if one != other]


def _told(picture: Picture) -> dict[str, Scalar]:
    record = from_json(picture.provenance)
    return {
        _("Prompt"): record.prompt,
        _("Negative prompt"): record.negative_prompt,
        _("Model"): record.model,
        _("Trained model"): record.settings.get("Lora", ""),
        _("Made larger by"): record.settings.get("Postprocess upscaler", ""),
        _("Seed"): picture.seed,
        **({_("Truncation"): record.settings["Truncation"]} if "Truncation" in record.settings else {}),
        **dict(shown_settings(record)),
        _("Size"): f"{picture.width} × {picture.height}",
    }
