"""The keyword of an AI training: suggested from its name, once in an account, and what a base makes of it.

A base that means something by a name already mixes that with what it learns. How much it does is measured by
a job, since that takes the base; nothing waits for it.
"""

import re
import unicodedata
from dataclasses import dataclass

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import User
from catalog.models import ModelVersion
from catalog.selectors import words_of
from engines.diffusion.config import MEANS_SOMETHING
from jobs.services import submit_job
from training.captions import clean_keyword
from training.exceptions import CaptionRefused, KeywordTaken
from training.kinds import KEYWORD
from training.models import AITraining, KeywordMeaning

MAX_LENGTH = 40
SHORTEST = 3
# A name in more pieces is no word that a base has met, and lies far off only because it is long: what it is
# measured against are invented names of three syllables.
MOST_PIECES = 4
_AFFIXES = "custom", "model"


def suggest_keyword(name: str) -> str:
    """An unusual word made of a name: "customrexmodel" for "Rex"; "" for a name without letters or digits."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    middle = re.sub(r"[^a-z0-9]", "", plain)[: MAX_LENGTH - len("".join(_AFFIXES))]
    return middle.join(_AFFIXES) if middle else ""


def judge_keyword(owner: User, keyword: str) -> str:
    """Return the keyword as it is kept. One query.

    Raises CaptionRefused for what is no word, KeywordTaken for one that another of the owner's has.
    """
    kept = clean_keyword(keyword)
    if len(kept) < SHORTEST:
        message = _("A keyword has at least %(count)d letters or digits. Type a longer one.")
        raise CaptionRefused(message % {"count": SHORTEST}, field="keyword")
    if AITraining.objects.owned_by(owner).filter(keyword__iexact=kept).exists():
        message = _("You have an AI training with the keyword %(keyword)s already. Choose another.")
        raise KeywordTaken(message % {"keyword": kept}, field="keyword")
    return kept


@dataclass(frozen=True)
class Verdict:
    """What is to be said of a keyword on a base; `is_pending` while it is being measured."""

    level: str
    sentence: str
    is_pending: bool = False


@transaction.atomic
def measure_keyword(*, owner: User, base: ModelVersion, keyword: str) -> KeywordMeaning:
    """Have it measured how much a base means by a keyword; what is known already is returned as it is.

    Effect: where it is not known and nobody is measuring it, a row and its job, which the owner pays nothing
    for.
    """
    lowered = keyword.lower()
    meaning, _is_new = KeywordMeaning.objects.select_for_update().get_or_create(base=base, keyword=lowered)
    is_known = meaning.distance is not None
    if is_known or (meaning.job is not None and meaning.job.is_active):
        return meaning
    label = _("Checking the keyword %(keyword)s") % {"keyword": lowered}
    meaning.job = submit_job(owner=owner, kind=KEYWORD.name, label=label)
    meaning.save(update_fields=["job"])
    return meaning


def verdict_on(base: ModelVersion, keyword: str) -> Verdict | None:
    """Say what a base makes of a keyword; None before anybody asked, or where measuring failed. Two queries.

    Where a base lists the words that it learned from, one of them is known at once.
    """
    words = words_of(base)
    if words is not None and keyword.lower() in words:
        return _known(base, keyword)
    meaning = KeywordMeaning.objects.select_related("job").filter(base=base, keyword=keyword.lower()).first()
    if meaning is None:
        return None
    if meaning.distance is None or meaning.tokens is None:
        is_measuring = meaning.job is not None and meaning.job.is_active
        sentence = _("Asking the base what it knows by this name. You can go on meanwhile.")
        return Verdict("info", sentence, is_pending=True) if is_measuring else None
    is_far = meaning.distance > MEANS_SOMETHING and meaning.tokens <= MOST_PIECES
    if meaning.tokens == 1 or is_far:
        return _known(base, keyword)
    return Verdict("good", _("The base means nothing by this name yet: a good keyword."))


def _known(base: ModelVersion, keyword: str) -> Verdict:
    sentence = _(
        "%(base)s means something by “%(keyword)s” already, which mixes with what it learns. "
        "Choose a more unusual name, such as %(better)s."
    )
    return Verdict(
        "warning",
        sentence % {"base": base.model.title, "keyword": keyword, "better": suggest_keyword(keyword)},
    )
