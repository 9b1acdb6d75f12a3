"""Staff look at a model before everybody sees it; anybody may report one that everybody sees."""

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from catalog.exceptions import ReviewRefused
from catalog.letters import plan_letter, plan_letter_to_staff
from catalog.models import CatalogModel, Letter, Licence, ModelReport, PublicationRequest
from catalog.services.licences import judge_grant, licence_for_others
from catalog.services.sharing import can_be_found, make_public, withdraw_model

WAITING = PublicationRequest.State.WAITING


def ask_for_publication(
    *, model: CatalogModel, licence: Licence, message: str = ""
) -> PublicationRequest | None:
    """Ask staff to show a model to everybody under a licence; a model of staff's is public at once.

    Effect: a waiting request, which is returned; None when the model is public now. Raises TermsForbid when
    the terms of its line do not allow it, ReviewRefused when a request waits or there is nothing to ask.
    """
    if model.owner.is_staff:
        make_public(model=model, licence=licence)
        return None
    judge_grant(model=model, licence=licence)
    if can_be_found(model) and licence_for_others(model) == licence:
        raise ReviewRefused(_("This model is public under this licence already."))
    try:
        with transaction.atomic():
            request: PublicationRequest = PublicationRequest.objects.create(
                model=model, licence=licence, message=message
            )
    except IntegrityError as error:
        raise ReviewRefused(
            _("We have been asked about this model already. Take that back first to change it.")
        ) from error
    return request


def take_back_request(*, model: CatalogModel) -> None:
    """Take a waiting request back. Raises ReviewRefused when none waits any more."""
    waiting = model.publication_requests.filter(state=WAITING)
    if not waiting.update(state=PublicationRequest.State.TAKEN_BACK):
        raise ReviewRefused(_("Nothing waits any more: it was answered in the meantime."))


@transaction.atomic
def approve_request(*, request: PublicationRequest, reviewer: User, answer: str) -> None:
    """Make the model public as was asked, and write to its publisher.

    Raises ReviewRefused when the request no longer waits, TermsForbid when the terms have changed since.
    """
    _answer(request, PublicationRequest.State.APPROVED, reviewer, answer)
    if request.licence is None:
        raise ReviewRefused(_("This request names no licence. Decline it and ask for one."))
    make_public(model=request.model, licence=request.licence)
    title = {"title": request.model.title}
    plan_letter(
        to=request.model.owner,
        subject=_("“%(title)s” is public") % title,
        paragraphs=[_("Everybody can find your model “%(title)s” in the catalog now.") % title, answer],
        model=request.model,
    )


@transaction.atomic
def decline_request(*, request: PublicationRequest, reviewer: User, answer: str) -> None:
    """Leave the model as it is, and write to its publisher why. Raises ReviewRefused as above."""
    _answer(request, PublicationRequest.State.DECLINED, reviewer, answer)
    title = {"title": request.model.title}
    plan_letter(
        to=request.model.owner,
        subject=_("“%(title)s” is not public yet") % title,
        paragraphs=[
            _("We have looked at your model “%(title)s” and did not make it public.") % title,
            answer,
            _("You can change it and ask again on its page:"),
        ],
        model=request.model,
    )


def report_model(
    *, model: CatalogModel, reporter: User | None, reason: str, text: str, email: str = ""
) -> ModelReport:
    """Keep what somebody says is wrong with a model. What hurries is written to staff at once."""
    with transaction.atomic():
        report: ModelReport = ModelReport.objects.create(
            model=model, reporter=reporter, reason=reason, text=text, email=email
        )
        if reason in ModelReport.REASONS_THAT_HURRY:
            plan_letter_to_staff(report)
    return report


@transaction.atomic
def uphold_report(*, report: ModelReport, reviewer: User, decision: str) -> None:
    """Withdraw the model for the reason that is given, and write to its publisher and to whoever reported it.

    Other open reports of the model end with it. Raises ReviewRefused when it was decided already.
    """
    _decide(report, ModelReport.State.UPHELD, reviewer, decision)
    others = report.model.reports.filter(state=ModelReport.State.OPEN)
    for other in others.select_related("model__owner", "reporter"):
        _decide(other, ModelReport.State.UPHELD, reviewer, decision)
    if report.model.withdrawn_at is None:
        withdraw_model(model=report.model, reason=decision, by=reviewer)


@transaction.atomic
def dismiss_report(*, report: ModelReport, reviewer: User, decision: str) -> None:
    """Leave the model as it is, and write to whoever reported it why. Raises ReviewRefused as above."""
    _decide(report, ModelReport.State.DISMISSED, reviewer, decision)


def forget_reporter(user: User) -> None:
    """Take the address of somebody who leaves off their reports, and out of what was written to them."""
    reports = ModelReport.objects.filter(reporter=user)
    addresses = {user.email, *reports.exclude(email="").values_list("email", flat=True)}
    Letter.objects.filter(to__in=addresses).delete()
    reports.update(email="")


def _answer(request: PublicationRequest, state: str, reviewer: User, answer: str) -> None:
    waiting = PublicationRequest.objects.filter(pk=request.pk, state=WAITING)
    if not waiting.update(state=state, reviewer=reviewer, answer=answer, reviewed_at=timezone.now()):
        raise ReviewRefused(_("This request does not wait any more."))


def _decide(report: ModelReport, state: str, reviewer: User, decision: str) -> None:
    """Note a decision on an open report, and write it to whoever made it, where they left an address."""
    is_open = ModelReport.objects.filter(pk=report.pk, state=ModelReport.State.OPEN)
    if not is_open.update(state=state, reviewer=reviewer, decision=decision, decided_at=timezone.now()):
        raise ReviewRefused(_("This report was decided already."))
    if not report.email:
        return
    told = {
        ModelReport.State.UPHELD: _("We have withdrawn the model “%(title)s”, which you reported."),
        ModelReport.State.DISMISSED: _(
            "We have looked at the model “%(title)s”, which you reported. It stays."
        ),
    }
    plan_letter(
        to=reviewer,
        address=report.email,
        subject=_("Your report about “%(title)s”") % {"title": report.model.title},
        paragraphs=[told[ModelReport.State(state)] % {"title": report.model.title}, decision],
    )
