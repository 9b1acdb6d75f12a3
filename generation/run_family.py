"""What the catalog is told of running Text to Image: who may run what, with which words. Without torch."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import User
from catalog.kinds import PROMPT
from catalog.models import ModelVersion
from catalog.registry import Destination, RunFamily, register_destination, register_run_family
from catalog.selectors import base_models
from engines.manifest import LORA, TEXT_TO_IMAGE
from generation.prompts import blocked_in

_RUNNER = "generation.run_steps.TextRunner"


def register_families() -> None:
    """Tell the catalog that bases and trained models can be run, and that their page takes pictures."""
    for family in (TEXT_TO_IMAGE, LORA):
        register_run_family(RunFamily(name=family, runner=_RUNNER, judge=judge_settings))
    register_destination(
        Destination(
            name="text-to-image",
            title=gettext_lazy("Text to Image"),
            text=gettext_lazy("Start from it: a prompt says what it becomes, a mask what stays."),
            address=start_url,
        )
    )


def judge_settings(user: User, version: ModelVersion, settings: Mapping[str, Any]) -> tuple[str, str] | None:
    """Say why a user may not run a version with these settings, and which of them it is about."""
    if base_of(user, version) is None:
        return "", _("The base of this trained model is not in this studio. Choose another model.")
    problem = refused_words(settings.get(PROMPT, ""))
    return (PROMPT, problem) if problem else None


def base_of(user: User, version: ModelVersion) -> ModelVersion | None:
    """Return the base that a version is run with: itself, or the one that a LoRA was made on, if usable."""
    if version.model.family != LORA:
        return version
    fingerprint = version.manifest["base"]["fingerprint"]
    return base_models(user).filter(manifest__fingerprint=fingerprint).first()


def refused_words(prompt: str) -> str:
    """Say that this installation makes nothing of a prompt, "" where it does. One query."""
    blocked = blocked_in(prompt)
    if not blocked:
        return ""
    refusal = _("This studio makes no images of “%(word)s”. Write the prompt without it.")
    return refusal % {"word": blocked}


def start_url(source: str) -> str:
    """Return where a picture (`picture:<id>` or another that `find_source` knows) is what is started from."""
    name, _colon, number = source.partition(":")
    query = {"picture": number, "use": "start"} if name == "picture" else {"sent": source}
    return f"{reverse('generation:generation_create')}?{urlencode(query)}"
