"""E-mails about reviews: planned in the transaction that decides, sent by a light job within a day."""

import smtplib
from collections.abc import Sequence
from functools import partial

from django.core.mail import EmailMessage
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import User
from accounts.services import has_own_address
from catalog.models import CatalogModel, Letter, ModelReport
from jobs.context import JobContext, Outcome
from jobs.exceptions import JobError
from jobs.mail import absolute
from jobs.models import Queue
from jobs.registry import JobKind
from jobs.services import submit_job

LETTER = JobKind(
    name="catalog.letter",
    queue=Queue.LIGHT,
    handler="catalog.letters.send_letter",
    title=gettext_lazy("Writing an e-mail"),
    max_failures=15,  # 5 s, 10 s, 20 s, ... between tries: about a day in all
)


def plan_letter(
    *,
    to: User,
    subject: str,
    paragraphs: Sequence[str],
    model: CatalogModel | None = None,
    address: str = "",
) -> None:
    """Have an e-mail sent when the transaction is committed: to a user, or to an `address` in a user's name.

    With a model its page is named at the end. Nothing is sent to a user whose address is not confirmed: it
    may be somebody else's.
    """
    if not address and not (to.is_active and has_own_address(to)):
        return
    lines = [paragraph for paragraph in paragraphs if paragraph]
    if model is not None:
        lines.append(absolute(reverse("catalog:model_publish", args=[model.owner.handle, model.name])))
    subject = " ".join(subject.split())[:200]
    job = submit_job(owner=to, kind=LETTER.name, label=subject)
    Letter.objects.create(job=job, to=address or to.email, subject=subject, body="\n\n".join(lines) + "\n")


def plan_letter_to_staff(report: ModelReport) -> None:
    """Tell those who decide reports of one that cannot wait."""
    staff = User.objects.filter(is_staff=True, is_active=True)
    for person in staff:
        if person.has_perm("catalog.decide_modelreport"):
            plan_letter(
                to=person,
                subject=_("A report that cannot wait: %(title)s") % {"title": report.model.title},
                paragraphs=[
                    _("“%(title)s” was reported: %(reason)s.")
                    % {"title": report.model.title, "reason": report.get_reason_display()},
                    absolute(reverse("admin:catalog_modelreport_change", args=[report.pk])),
                ],
            )


def send_letter(context: JobContext) -> Outcome:
    """Send a letter, once. Raises JobError when the server refuses it for good, else whatever failed."""
    letter = Letter.objects.filter(job=context.job_id, sent_at__isnull=True).first()
    if letter is None:
        return Outcome()
    context.control()  # an attempt that lost the job sends nothing
    message = EmailMessage(
        subject=letter.subject,
        body=letter.body,
        to=[letter.to],
        headers={"Auto-Submitted": "auto-generated"},
    )
    try:
        message.send()
    except smtplib.SMTPRecipientsRefused as error:
        if all(code >= 500 for code, _reason in error.recipients.values()):
            raise JobError(_("The mail server refused this e-mail. Check the address.")) from error
        raise
    return Outcome(apply=partial(_note_sent, letter))


def _note_sent(letter: Letter) -> None:
    Letter.objects.filter(pk=letter.pk).update(sent_at=timezone.now())
