"""What somebody may have meant whose words no model has."""

import re
from difflib import get_close_matches

from django.contrib.auth.models import AnonymousUser

from accounts.models import User
from catalog.models import CatalogModel

_MOST = 1000  # models whose words are looked at: the most used ones
_ALIKE = 0.75  # of 1; two letters of eight may differ


def suggest_query(user: User | AnonymousUser, query: str) -> str:
    """Return the query in words of titles and keywords that the user may see; "" where none are near.

    One query.
    """
    models = CatalogModel.objects.visible_to(user).order_by("-use_count", "-created_at")
    known = {
        word
        for title, keywords in models.values_list("title", "keywords")[:_MOST]
        for word in _words_of(" ".join([title, *keywords]))
    }
    asked = _words_of(query)
    meant = [word if word in known else next(iter(_near(word, known)), "") for word in asked]
    return " ".join(meant) if all(meant) and meant != asked else ""


def _words_of(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def _near(word: str, known: set[str]) -> list[str]:
    return get_close_matches(word, known, n=1, cutoff=_ALIKE)
