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

# What a term means to whoever uses a model, in each list of a licence: what is a permission here may be
# what is not granted there.
MEANINGS: dict[str, dict[str, Promise]] = {
    "permissions": {
        "commercial-use": _("You may earn money with it."),
        "modifications": _("You may train it further, mix it and change it."),
        "distribution": _("You may pass it on to others."),
        "private-use": _("You may use it for yourself, and tell nobody."),
        "patent-use": _("The authors let you use the patents that they hold on it."),
    },
    "conditions": {
        "include-copyright": _("Wherever it is passed on, its authors and this licence are named."),
        "document-changes": _("Whoever changes it says what was changed."),
        "same-license": _("What is made from it is passed on under this licence, too."),
        "pass-on-restrictions": _("What is made from it carries the restrictions of use below."),
    },
    "limitations": {
        "commercial-use": _("You may not earn money with it."),
        "modifications": _("You may not pass on a changed one."),
        "distribution": _("You may not pass it on."),
        "trademark-use": _("Names and logos of its authors are not part of the licence."),
        "patent-use": _("Patents of its authors are not part of the licence."),
        "liability": _("Its authors do not pay for damage that it does."),
        "warranty": _("Its authors do not promise that it works."),
    },
    "use_restrictions": {
        OWNER_ONLY: _("Nobody but its owner may use it."),
        "unlawful-use": _("Not for what the law forbids."),
        "harming-minors": _("Not for anything that exploits or harms children."),
        "disinformation": _("Not for false information that is to harm somebody."),
        "personal-data-harm": _("Not for making or spreading personal data that can harm somebody."),
        "harassment": _("Not for insulting, threatening or bullying."),
        "automated-decisions": _("Not for decisions about somebody's rights without a person."),
        "discrimination": _("Not for treating people worse for what they are or how they behave."),
        "exploiting-weakness": _("Not for taking advantage of age, disability or need."),
        "medical-advice": _("Not for medical advice, nor for reading medical results."),
        "law-enforcement": _("Not for judging people in justice, policing, immigration or asylum."),
        "impersonation": _("Not for passing for a person who has not agreed."),
        "undisclosed-machine-output": _("Not for texts or pictures that hide that a machine made them."),
    },
}


@dataclass(frozen=True, kw_only=True)
class Term:
    """One term of a licence as a page shows it; `meaning` is "" for an admin's own."""

    slug: str
    title: str | Promise
    meaning: str | Promise = ""


def titles(slugs: Iterable[str]) -> list[str]:
    """Return the titles alone, as `terms` gives them."""
    return [str(term.title) for term in terms(slugs)]


def terms(slugs: Iterable[str], of: str = "") -> list[Term]:
    """Give each term its title; an unknown one (an admin's own) is shown as it is written.

    `of` names the list that they stand in, of which `MEANINGS` knows what they say.
    """
    meanings = MEANINGS.get(of, {})
    return [
        Term(slug=slug, title=TITLES.get(slug, slug.replace("-", " ")), meaning=meanings.get(slug, ""))
        for slug in slugs
    ]
