"""Licences that people write themselves, and what holders grant to others."""

import hashlib
import json
from collections.abc import Iterable

from django.db import connection, transaction
from django.utils.translation import gettext as _

from accounts.models import User
from catalog.exceptions import TermsForbid
from catalog.licences import CUSTOM, OWNER_ONLY
from catalog.models import CatalogModel, Licence, LicenceGrant, ModelVersion
from catalog.terms import Action, refusal

# What somebody may tick beside a text of their own; private use is always allowed.
CHOICES = ("commercial-use", "modifications", "distribution", "include-copyright", "same-license")

# Of each model's newest version: the licences of its whole line, as `catalog.line` finds them.
_OUTPUTS_COMMERCIAL = """
    WITH RECURSIVE line (model, source) AS (
        (SELECT DISTINCT ON (model_id) model_id, source_id FROM catalog_modelversion
         WHERE %(every)s OR model_id = ANY(%(models)s::uuid[]) ORDER BY model_id, number DESC)
        UNION
        SELECT line.model, up.parent_id FROM catalog_derivation up JOIN line ON up.child_id = line.source
    ), told AS (
        SELECT line.model, bool_and(licence.outputs_commercial) AS allowed
        FROM line JOIN catalog_source source ON source.id = line.source
        JOIN catalog_catalogmodel made ON made.id = line.model
        LEFT JOIN catalog_modelversion version ON version.source_id = source.id
        LEFT JOIN catalog_catalogmodel origin ON origin.id = version.model_id
        LEFT JOIN LATERAL (
            SELECT licence_id FROM catalog_licencegrant WHERE source_id = source.id
            AND (origin.id = made.id OR origin.owner_id <> made.owner_id OR origin.id IS NULL)
            ORDER BY granted_at DESC LIMIT 1
        ) newest ON true
        JOIN catalog_licence licence ON licence.slug IN (source.licence_id, newest.licence_id)
        GROUP BY line.model
    )
    UPDATE catalog_catalogmodel model SET outputs_commercial = told.allowed
    FROM told WHERE told.model = model.id AND model.outputs_commercial <> told.allowed
"""


def refresh_outputs_commercial(models: Iterable[CatalogModel] | None = None) -> None:
    """Write again whether what models make may be sold, by the terms of their whole lines; None: of all.

    Effect: one statement, which changes only rows that were different.
    """
    keys = [] if models is None else [model.pk for model in models]
    with connection.cursor() as cursor:
        cursor.execute(_OUTPUTS_COMMERCIAL, {"every": models is None, "models": keys})


def write_licence(*, text: str, allowed: Iterable[str]) -> Licence:
    """Return the licence that consists of a text of somebody's own.

    `allowed` names what it allows and asks for, of `CHOICES`. The same text with the same answers is the same
    licence. Effect: may insert a row, which forms do not offer to others.
    """
    ticked = sorted(set(CHOICES) & set(allowed))
    named = hashlib.sha256(json.dumps([text, ticked]).encode()).hexdigest()[:12]
    permissions = ["commercial-use", "modifications", "distribution"]
    values = {
        "name": _("Terms in a text of their own"),
        "permissions": [*(term for term in permissions if term in ticked), "private-use"],
        "conditions": [term for term in ("include-copyright", "same-license") if term in ticked],
        "limitations": [*(term for term in permissions if term not in ticked), "liability", "warranty"],
        "outputs_commercial": "commercial-use" in ticked,
        "derivatives": "modifications" in ticked,
        "share_alike": "same-license" in ticked,
        "attribution_required": "include-copyright" in ticked,
        "summary": _("Whoever holds the rights wrote these terms. Their text is what counts."),
        "full_text": text,
        "is_offered": False,
    }
    licence, _created = Licence.objects.get_or_create(slug=f"{CUSTOM}-{named}", defaults=values)
    return licence


def judge_grant(*, model: CatalogModel, licence: Licence) -> None:
    """Raise TermsForbid, with its sentence, unless all versions of a model may be had under a licence."""
    if OWNER_ONLY in licence.use_restrictions:
        raise TermsForbid(_("Choose what others may do with the model: this licence is for yourself alone."))
    versions = list(model.versions.select_related("source__licence", "model__owner"))
    if not versions:
        raise TermsForbid(_("This model has no version yet. Save one first."))
    for version in versions:
        sentence = refusal(version, Action.SHARE, actor=model.owner, licence=licence)
        if sentence:
            raise TermsForbid(sentence)


def judge_derivation(*, version: ModelVersion, actor: User) -> None:
    """Raise TermsForbid, with its sentence, unless somebody may train from a version or mix it."""
    sentence = refusal(version, Action.DERIVE, actor=actor)
    if sentence:
        raise TermsForbid(_("%(sentence)s Choose another model to start from.") % {"sentence": sentence})


@transaction.atomic
def grant_licence(*, model: CatalogModel, licence: Licence) -> None:
    """Let others have every version of a model under a licence, from now on.

    Effect: a row for each version that was not under it already. Raises TermsForbid, see `judge_grant`.
    """
    judge_grant(model=model, licence=licence)
    for version in model.versions.select_related("source"):
        _grant(version, licence)
    refresh_outputs_commercial([model])


def carry_grant(*, version: ModelVersion) -> None:
    """Let a further version of a model be had under what was granted for the one before, where that may be.

    Otherwise it stays its owner's only, which its page says.
    """
    before = LicenceGrant.objects.filter(source__model_version__model=version.model_id).select_related(
        "licence"
    )
    grant = before.first()
    if grant is not None and not refusal(
        version, Action.SHARE, actor=version.model.owner, licence=grant.licence
    ):
        _grant(version, grant.licence)


def licence_for_others(model: CatalogModel) -> Licence | None:
    """Return what others may have the newest version under; None as long as that was not said."""
    version = model.versions.select_related("licence", "source").order_by("-number").first()
    if version is None or OWNER_ONLY in version.licence_in_force.use_restrictions:
        return None
    granted: Licence = version.licence_in_force
    return granted


def _grant(version: ModelVersion, licence: Licence) -> None:
    newest = LicenceGrant.objects.filter(source=version.source_id).first()
    if newest is None or newest.licence_id != licence.pk:
        LicenceGrant.objects.create(source_id=version.source_id, licence=licence)
