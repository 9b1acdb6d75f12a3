"""What the navigation asks of the pages on which one explores."""

from django import template
from django.template.context import RequestContext

from generation.explore import point_urls, urls, walk_urls

register = template.Library()

# Maps, points, walks and projections stand below the address of their model, but belong to Explore.
_NAMES = frozenset(
    pattern.name for part in (urls, point_urls, walk_urls) for pattern in part.urlpatterns if pattern.name
)


@register.simple_tag(takes_context=True)
def explored_path(context: RequestContext) -> str:
    """Return the path of a page on which one explores, "" of any other."""
    request = context.get("request")
    match = getattr(request, "resolver_match", None)
    if request is None or match is None or match.view_name.removeprefix("generation:") not in _NAMES:
        return ""
    return str(request.path)
