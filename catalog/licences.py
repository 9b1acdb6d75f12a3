"""The words of a licence: what each permission, condition and limitation means.

The terms are those of choosealicense.com. The studio's own are: `commercial-use`, `modifications` and
`distribution` among the limitations, `pass-on-restrictions`, and the restrictions of use (`owner-only`, and
what Attachment A of the Open RAIL licences rules out, shortened).
"""

from collections.abc import Iterable
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

# What a person's own pictures and trainings carry until they choose something else.
OWN_WORK = "own-work"
# The restriction of use by which a licence says nothing to others yet.
OWNER_ONLY = "owner-only"
# Stands for a text of one's own; what such a text allows is said along with it (`catalog.services.licences`).
CUSTOM = "custom"

TITLES: dict[str, Promise] = {
    "commercial-use": _("Commercial use"),
    "modifications": _("Changing it"),
    "distribution": _("Sharing it"),
    "private-use": _("Private use"),
    "patent-use": _("Use of patents"),
    "include-copyright": _("Name the authors and the licence"),
    "document-changes": _("Say what you changed"),
    "same-license": _("Share results under the same licence"),
    "pass-on-restrictions": _("Pass the restrictions on"),
    "trademark-use": _("Use of trademarks"),
    "liability": _("Liability"),
    "warranty": _("Warranty"),
    OWNER_ONLY: _("For its owner only"),
    "unlawful-use": _("Breaking the law"),
    "harming-minors": _("Exploiting or harming minors"),
    "disinformation": _("Spreading falsehoods to harm others"),
    "personal-data-harm": _("Personal data that can harm somebody"),
    "harassment": _("Defaming or harassing others"),
    "automated-decisions": _("Automated decisions about somebody's rights"),
    "discrimination": _("Discriminating against people"),
    "exploiting-weakness": _("Exploiting the weaknesses of a group"),
    "medical-advice": _("Medical advice and reading medical results"),
    "law-enforcement": _("Justice, law enforcement, immigration and asylum"),
    "impersonation": _("Passing for somebody else without consent"),
    "undisclosed-machine-output": _("Hiding that a machine made it"),
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
