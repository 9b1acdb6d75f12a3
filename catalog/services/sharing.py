"""Who may have a model: making it private, unlisted or public, and withdrawing it."""

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from catalog.exceptions import ReviewRefused
from catalog.letters import plan_letter
from catalog.models import CatalogModel, Licence, PublicationRequest, Visibility
from catalog.services.licences import grant_licence


@transaction.atomic
def make_private(*, model: CatalogModel) -> None:
    """Keep a model for its owner. What others made from it stays; a waiting request is taken back."""
    _take_back(model)
    _show(model, Visibility.PRIVATE)


@transaction.atomic
def make_unlisted(*, model: CatalogModel, licence: Licence) -> None:
    """Let those who know the address have a model, under a licence; a waiting request is taken back.

    Raises TermsForbid when the terms of its line do not allow that, ReviewRefused for a withdrawn model.
    """
    if model.withdrawn_at is not None:
        raise ReviewRefused(_("This model is withdrawn. Ask for it to be public, and we look at it again."))
    grant_licence(model=model, licence=licence)
    _take_back(model)
    _show(model, Visibility.UNLISTED)


@transaction.atomic
def make_public(*, model: CatalogModel, licence: Licence) -> None:
    """Show a model to everybody under a licence, with no review: for staff, and once one was passed.

    Effect: its licence for others, its visibility; it is withdrawn no more. Raises TermsForbid.
    """
    grant_licence(model=model, licence=licence)
    _show(model, Visibility.PUBLIC, withdrawn_at=None, withdrawal_reason="")


@transaction.atomic
def withdraw_model(*, model: CatalogModel, reason: str, by: User) -> None:
    """Take a model out of the directory, for a reason that its page goes on to show.

    Nobody but its owner can open or use it any more. What was made with it or from it stays. Effect: one row,
    and, where staff do it, a letter to the owner; a waiting request is taken back. Raises ReviewRefused for a
    model that is withdrawn already.
    """
    changed = CatalogModel.objects.filter(pk=model.pk, withdrawn_at__isnull=True).update(
        withdrawn_at=timezone.now(), withdrawal_reason=reason, featured_at=None, updated_at=timezone.now()
    )
    if not changed:
        raise ReviewRefused(_("This model is withdrawn already."))
    model.refresh_from_db()
    _take_back(model)
    if by.pk != model.owner_id:
        plan_letter(
            to=model.owner,
            subject=_("“%(title)s” was withdrawn") % {"title": model.title},
            paragraphs=[
                _("Your model “%(title)s” is no longer in the catalog. You still have it.")
                % {"title": model.title},
                _("The reason: %(reason)s") % {"reason": reason},
                _("If you have changed what was wrong, ask for it to be public again on its page:"),
            ],
            model=model,
        )


@transaction.atomic
def restore_model(*, model: CatalogModel) -> None:
    """Undo a withdrawal; the model is as visible as it was. Raises ReviewRefused where there is none."""
    if not CatalogModel.objects.filter(pk=model.pk, withdrawn_at__isnull=False).update(
        withdrawn_at=None, withdrawal_reason="", updated_at=timezone.now()
    ):
        raise ReviewRefused(_("This model is not withdrawn."))
    model.refresh_from_db()


def set_featured(*, model: CatalogModel, is_featured: bool) -> None:
    """Put a public model among those that the catalog shows first, or take it from there.

    Raises ReviewRefused for a model that not everybody can find.
    """
    if is_featured and not can_be_found(model):
        raise ReviewRefused(_("Only a model that everybody can find is featured."))
    CatalogModel.objects.filter(pk=model.pk).update(featured_at=timezone.now() if is_featured else None)


def can_be_found(model: CatalogModel) -> bool:
    """Whether everybody finds a model in the directory."""
    return model.visibility == Visibility.PUBLIC and model.withdrawn_at is None


def _show(model: CatalogModel, visibility: Visibility, **values: object) -> None:
    values |= {"visibility": visibility, "updated_at": timezone.now()}
    if visibility != Visibility.PUBLIC:
        values["featured_at"] = None
    CatalogModel.objects.filter(pk=model.pk).update(**values)
    model.refresh_from_db()


def _take_back(model: CatalogModel) -> None:
    waiting = model.publication_requests.filter(state=PublicationRequest.State.WAITING)
    waiting.update(state=PublicationRequest.State.TAKEN_BACK)
