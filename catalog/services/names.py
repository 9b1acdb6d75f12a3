"""Names of models: free ones, and changing one."""

from django.db import IntegrityError, transaction
from django.utils.text import slugify
from django.utils.translation import gettext as _

from accounts.models import User
from catalog.exceptions import NameTakenError
from catalog.models import CatalogModel, FormerAddress


def suggest_names(*, owner: User, wanted: str, count: int = 3) -> list[str]:
    """Return `count` names near the wanted one (itself, where it is free) that the owner has not used."""
    base = slugify(wanted)[:50].strip("-") or "model"
    taken = set(
        CatalogModel.objects.filter(owner=owner, name__startswith=base).values_list("name", flat=True)
    )
    found = [] if base in taken else [base]
    number = 2
    while len(found) < count:
        candidate = f"{base}-{number}"
        if candidate not in taken:
            found.append(candidate)
        number += 1
    return found


def check_name_free(*, owner: User, name: str, other_than: CatalogModel | None = None) -> None:
    """Raise NameTakenError, with free names, when the owner has another model of this name."""
    taken = CatalogModel.objects.filter(owner=owner, name=name)
    if other_than is not None:
        taken = taken.exclude(pk=other_than.pk)
    if taken.exists():
        suggestions = suggest_names(owner=owner, wanted=name)
        message = _("You already have a model called “%(name)s”. Free names are for example: %(free)s.")
        raise NameTakenError(message % {"name": name, "free": ", ".join(suggestions)}, suggestions)


def rename_model(*, model: CatalogModel, name: str, title: str) -> CatalogModel:
    """Give a model another address and title. Raises NameTakenError when the owner uses the name already.

    Effect: one transaction. The old address leads to the model until another model takes it.
    """
    former = CatalogModel.objects.values_list("name", flat=True).get(pk=model.pk)
    try:
        with transaction.atomic():
            model.name, model.title = name, title
            model.save(update_fields=["name", "title", "updated_at"])
            if former != name:
                FormerAddress.objects.filter(owner=model.owner, name=name).delete()
                FormerAddress.objects.update_or_create(
                    owner=model.owner, name=former, defaults={"model": model}
                )
    except IntegrityError:
        check_name_free(owner=model.owner, name=name, other_than=model)
        raise
    return model
