"""The pages that bind whoever uses the studio, for footers and forms."""

from django import template

from accounts.models import LegalPage

register = template.Library()


@register.simple_tag
def legal_pages() -> list[LegalPage]:
    """Return those that are shown, without their texts. One query."""
    return list(LegalPage.objects.filter(is_shown=True).defer("text"))
