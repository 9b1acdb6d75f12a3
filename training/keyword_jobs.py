"""Measuring how much a base means by a keyword, in a generate worker. Imports torch."""

from functools import partial

from django.utils.translation import gettext as _

from catalog.exceptions import CatalogError
from catalog.files import materialise
from catalog.warm_bases import warm_base
from engines.diffusion.keywords import meanings
from engines.errors import EngineError
from jobs.context import JobContext, Outcome
from jobs.exceptions import JobError
from training.models import KeywordMeaning


def run_keyword(context: JobContext) -> Outcome:
    """Measure the keyword of the job's row. Raises JobError for a base that cannot be loaded."""
    asked = KeywordMeaning.objects.select_related("base").filter(job=context.job_id).first()
    if asked is None:
        return Outcome()
    context.report(step=0, total=1, message=_("Asking the base what it knows"))
    try:
        base = warm_base(asked.base.sha256, materialise(asked.base), context.device).base
        (found,) = meanings(base, [asked.keyword])
    except (CatalogError, EngineError) as error:
        raise JobError(str(error)) from error
    asked.distance, asked.tokens = found.distance, found.tokens
    return Outcome(apply=partial(asked.save, update_fields=["distance", "tokens"]))
