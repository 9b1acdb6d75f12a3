"""Terms, privacy, acceptable use: pages that staff edit in Django admin."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from accounts.models import LegalPage
from catalog.texts import render_markdown


@require_safe
def show_legal(request: HttpRequest, slug: str) -> HttpResponse:
    """Show one of them."""
    page = get_object_or_404(LegalPage, slug=slug, is_shown=True)
    context = {"page": page, "text": render_markdown(page.text, levels_down=0)}
    return render(request, "legal/legal_detail.html", context)
