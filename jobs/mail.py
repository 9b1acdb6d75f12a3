"""Writing to the owner of a job that has ended: one e-mail for each end that they did not bring about.

A kind that wants it names `end_mail`, and `on_end="jobs.mail.plan_end_mail"`. In the transaction of the end
itself a row says that there is something to write, and a light job is submitted that does it; so an end is
told exactly as surely as it happens, and a mail server that is away is tried again for a day.

Sent once: the row is marked, behind the fence of the sending attempt, as soon as the server has taken the
e-mail. A process that dies between these two sends it again; no protocol between two systems can rule that
out. Both copies then carry the same Message-ID, by which mailboxes know a copy.
"""

import smtplib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from django.conf import settings
from django.core.mail import EmailMessage
from django.urls import reverse
from django.utils import timezone
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.services import has_own_address
from jobs import registry
from jobs.context import JobContext, Outcome
from jobs.exceptions import JobError
from jobs.models import EndMail, Job, Queue, State
from jobs.registry import JobKind
from jobs.services import submit_job

END_MAIL = JobKind(
    name="jobs.end_mail",
    queue=Queue.LIGHT,
    handler="jobs.mail.send_end_mail",
    title=gettext_lazy("Writing an e-mail"),
    # 5 s, 10 s, 20 s, ... between tries: about a day in all.
    max_failures=15,
)


@dataclass(frozen=True, kw_only=True)
class Letter:
    """What is written: a subject, paragraphs, and the path of the page that shows the job."""

    subject: str
    paragraphs: Sequence[str]
    path: str


def plan_end_mail(job: Job) -> None:
    """Have the owner of a job that ends written to, unless they stopped it: an `on_end`.

    Effect: a row and the job that sends it, in the transaction of the end. An end that has its row already
    gets no second one.
    """
    if not _is_news(job) or not job.owner.mail_when_ended:
        return
    if EndMail.objects.filter(ended=job, attempt=job.attempt).exists():
        return
    label = _("E-mail about %(label)s") % {"label": job.label}
    sending = submit_job(owner=job.owner, kind=END_MAIL.name, label=label)
    EndMail.objects.create(ended=job, attempt=job.attempt, state=job.state, job=sending)


def send_end_mail(context: JobContext) -> Outcome:
    """Send what `plan_end_mail` planned, if it is still to be said.

    Raises JobError when the mail server refuses it for good, and whatever else is in the way, to try again.
    """
    mail = EndMail.objects.select_related("ended__owner").filter(job=context.job_id).first()
    message = _message(mail) if mail is not None and mail.sent_at is None else None
    if mail is None or message is None:
        return Outcome()
    context.control()  # an attempt that lost the job sends nothing
    try:
        message.send()
    except (smtplib.SMTPResponseException, smtplib.SMTPRecipientsRefused) as error:
        if _is_final(error):
            raise JobError(_("The mail server refused this e-mail. Check your e-mail address.")) from error
        raise
    return Outcome(apply=partial(_note_sent, mail))


def absolute(path: str) -> str:
    """Return the address of one of this studio's pages, for those who read it elsewhere."""
    return f"{settings.SITE_URL}{path}"


def _note_sent(mail: EndMail) -> None:
    EndMail.objects.filter(pk=mail.pk).update(sent_at=timezone.now())


def _is_news(job: Job) -> bool:
    """Whether an end was not its owner's own doing: a stop that the owner asked for explains nothing."""
    return job.state in (State.SUCCEEDED, State.FAILED) or (job.state == State.STOPPED and bool(job.error))


def _message(mail: EndMail) -> EmailMessage | None:
    """Return the e-mail; None when nobody wants it any more.

    That is so for a job that has been resumed since, and for an owner who has switched these e-mails off, is
    locked out, or has an address that is not confirmed: it may be somebody else's.
    """
    job, owner = mail.ended, mail.ended.owner
    is_over = (job.attempt, job.state) == (mail.attempt, mail.state)
    if not is_over or not owner.is_active or not owner.mail_when_ended or not has_own_address(owner):
        return None
    write = registry.get(job.kind).end_mail
    letter: Letter | None = import_string(write)(job) if write else None
    if letter is None:
        return None
    return EmailMessage(
        subject=" ".join(letter.subject.split()),
        body="\n\n".join([*letter.paragraphs, absolute(letter.path), _footer()]) + "\n",
        to=[owner.email],
        headers={
            "Message-ID": f"<end-{job.pk}-{mail.attempt}@{settings.SITE_URL.split('//')[-1].split(':')[0]}>",
            "Auto-Submitted": "auto-generated",
        },
    )


def _footer() -> str:
    switch = absolute(reverse("mail_settings"))
    return _("-- \nYou get one of these when a training ends. Switch them off here: %(url)s") % {
        "url": switch
    }


def _is_final(error: smtplib.SMTPResponseException | smtplib.SMTPRecipientsRefused) -> bool:
    """Whether the server will never take it (RFC 5321: codes from 500 on)."""
    if isinstance(error, smtplib.SMTPResponseException):
        return error.smtp_code >= 500
    return all(code >= 500 for code, _reason in error.recipients.values())
