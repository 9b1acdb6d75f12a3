"""What changed from one version of a model to the next."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _

from catalog.models import ModelFile, ModelVersion

_SHOWN = 3  # names in a sentence


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A version in the history of its model; `changes` are sentences, held against the one before."""

    version: ModelVersion
    changes: list[str]


def history_of(versions: Iterable[ModelVersion]) -> list[Entry]:
    """Say of each version what is different from the one before it. Two queries for all of them.

    `versions` are some versions of one model, with their licences.
    """
    told = list(versions)
    if not told:
        return []
    numbers = {version.number for version in told} | {version.number - 1 for version in told}
    found = ModelVersion.objects.filter(model=told[0].model_id, number__in=numbers)
    by_number = {
        version.number: version for version in found.select_related("licence").prefetch_related("files")
    }
    return [
        Entry(
            version=version,
            changes=_changes(by_number[version.number], by_number.get(version.number - 1)),
        )
        for version in told
    ]


def _changes(version: ModelVersion, before: ModelVersion | None) -> list[str]:
    if before is None:
        return [_("The first version.")] if version.number == 1 else []
    changes = _changed_files(list(before.files.all()), list(version.files.all()))
    facts = (
        (_("Resolution"), before.resolution, version.resolution),
        (_("Parameters"), before.parameters, version.parameters),
        (_("License"), before.licence.name, version.licence.name),
        (_("Size"), filesizeformat(before.size_bytes), filesizeformat(version.size_bytes)),
    )
    changes += [
        _("%(fact)s: %(now)s, before %(then)s.") % {"fact": fact, "now": now, "then": then}
        for fact, then, now in facts
        if then != now
    ]
    return changes


def _changed_files(then: list[ModelFile], now: list[ModelFile]) -> list[str]:
    before, after = ({file.path: file.sha256 for file in files} for files in (then, now))
    told = (
        (_("New: %(files)s."), after.keys() - before.keys()),
        (_("Changed: %(files)s."), {path for path in after if before.get(path, after[path]) != after[path]}),
        (_("Gone: %(files)s."), before.keys() - after.keys()),
    )
    return [sentence % {"files": _names(paths)} for sentence, paths in told if paths]


def _names(paths: Iterable[str]) -> str:
    names = sorted(paths)
    if len(names) <= _SHOWN:
        return ", ".join(names)
    more = _("%(names)s and %(count)d more")
    return more % {"names": ", ".join(names[:_SHOWN]), "count": len(names) - _SHOWN}
