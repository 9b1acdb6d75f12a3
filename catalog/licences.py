"""The words of a licence: what each permission, condition and limitation means.

The terms and their names are those of choosealicense.com; two are the studio's own: `commercial-use` among
the limitations, and `owner-only`.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

# What a person's own pictures and trainings carry until they choose something else.
OWN_WORK = "own-work"
# The restriction of use by which a licence says nothing to others yet.
OWNER_ONLY = "owner-only"

TITLES: dict[str, Promise] = {
    "commercial-use": _("Commercial use"),
    "modifications": _("Changing it"),
    "distribution": _("Sharing it"),
    "private-use": _("Private use"),
    "patent-use": _("Use of patents"),
    "include-copyright": _("Name the authors and the licence"),
    "document-changes": _("Say what you changed"),
    "same-license": _("Share results under the same licence"),
    "trademark-use": _("Use of trademarks"),
    "liability": _("Liability"),
    "warranty": _("Warranty"),
    OWNER_ONLY: _("For its owner only"),
}


@dataclass(frozen=True, kw_only=True)
class Term:
    """One term of a licence as a page shows it."""

    slug: str
    title: str | Promise


def titles(slugs: Iterable[str]) -> list[str]:
    """Return the titles alone, as `terms` gives them."""
    return [str(term.title) for term in terms(slugs)]


def terms(slugs: Iterable[str]) -> list[Term]:
    """Give each term its title; an unknown one (an admin's own) is shown as it is written."""
    return [Term(slug=slug, title=TITLES.get(slug, slug.replace("-", " "))) for slug in slugs]
