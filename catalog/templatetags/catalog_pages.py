"""What templates of models' pages share."""

import json
from typing import Any

from django import template
from django.template.context import RequestContext
from django.utils.safestring import SafeString

from catalog.model_page import tabs_of
from catalog.models import CatalogModel
from catalog.selectors import RUNNABLE_FAMILIES
from catalog.texts import render_markdown
from engines.manifest import FAMILIES, LORA, TEXT_TO_IMAGE

# How the pages that make images are told of a model, by its family.
GENERATE_AS = {**dict.fromkeys(RUNNABLE_FAMILIES, "model"), TEXT_TO_IMAGE: "base", LORA: "adapter"}

register = template.Library()


@register.filter
def markdown(text: str) -> SafeString:
    """Show a text that is written in Markdown."""
    return render_markdown(text)


@register.filter
def json_text(value: object) -> str:
    """Write what a model told as JSON: lists of numbers on one line, all else over several."""
    is_plain = isinstance(value, list) and all(isinstance(one, (int, float)) for one in value)
    return json.dumps(value, ensure_ascii=False, indent=None if is_plain else 2)


@register.inclusion_tag("catalog/model_head.html", takes_context=True)
def model_head(context: RequestContext, model: CatalogModel, tab: str) -> dict[str, Any]:
    """Show the heading of a model's page with the bar of its tabs; `tab` is the one that is open."""
    user = context["request"].user
    return {
        "user": user,
        "model": model,
        "tab": tab,
        "tabs": tabs_of(model),
        "is_owner": model.owner_id == user.pk,
        "has_map": model.family in FAMILIES and model.withdrawn_at is None,
        "generate_as": GENERATE_AS.get(model.family, "") if user.is_authenticated else "",
    }
