"""The e-mail about the end of a job: one for each end, whatever happens to servers and processes."""

import smtplib

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.urls import reverse

from jobs import moves
from jobs.leases import abandon_attempt
from jobs.mail import END_MAIL, plan_end_mail
from jobs.models import EndMail, Job, State
from jobs.services import resume_job, stop_job
from jobs.testing import run_pending

pytestmark = pytest.mark.django_db


class Killed(BaseException):
    """Stands for the SIGKILL that no handler can catch."""


@pytest.fixture
def end(submit):
    """Return a function that submits a job of the label and lets it end, its e-mail not sent yet."""

    def end(label: str) -> Job:
        job = submit("told", label=label)
        run_pending("train")
        job.refresh_from_db()
        return job

    return end


@pytest.fixture
def server(monkeypatch):
    """Return a list of what the mail server answers, one after the other; then it takes everything."""
    answers: list[BaseException | None] = []
    send = EmailBackend.send_messages

    def sending(self, messages):
        answer = answers.pop(0) if answers else None
        if answer is not None:
            raise answer
        return send(self, messages)

    monkeypatch.setattr(EmailBackend, "send_messages", sending)
    return answers


@pytest.mark.parametrize("label", ["do", "refuse"])
def test_an_end_is_told_once(end, owner, settings, label):
    settings.SITE_URL = "https://studio.example"
    job = end(label)
    run_pending("light")
    run_pending("light")
    (message,) = mail.outbox
    assert message.to == [owner.email]
    assert message.subject == f"{label} is {job.state}"
    assert job.error in message.body
    assert "https://studio.example/there/" in message.body
    assert f"https://studio.example{reverse('mail_settings')}" in message.body
    assert EndMail.objects.get().sent_at


def test_what_the_owner_stopped_is_not_told(end, submit, monkeypatch):
    assert end("stop").state == State.STOPPED
    waiting = submit("told")
    stop_job(job=waiting)
    run_pending()
    assert not mail.outbox
    assert not EndMail.objects.exists()


def test_a_stop_with_a_reason_is_told(submit, claim):
    job = submit("told", label="late")
    claim()
    stop_job(job=job, cause="past its deadline", explanation="Your plan trains for 3 hours at a time.")
    job.refresh_from_db()
    abandon_attempt(job, cause="saved in a test")
    run_pending("light")
    (message,) = mail.outbox
    assert "3 hours at a time" in message.body


def test_a_job_that_ends_again_is_told_again(end):
    job = end("refuse")
    run_pending("light")
    resume_job(job=job)
    run_pending("train")
    run_pending("light")
    assert len(mail.outbox) == 2
    assert len({message.extra_headers["Message-ID"] for message in mail.outbox}) == 2


def test_an_end_that_was_undone_before_it_was_told_is_left_out(end):
    resume_job(job=end("refuse"))
    run_pending("light")
    assert not mail.outbox


def test_one_end_is_planned_once(end):
    plan_end_mail(end("do"))
    assert EndMail.objects.count() == 1
    assert Job.objects.filter(kind=END_MAIL.name).count() == 1


def test_without_the_end_there_is_no_mail(submit, monkeypatch):
    """Both are one transaction: what undoes the end, as here its settling, undoes the mail."""

    def fail(job: Job) -> None:
        raise Killed

    submit("told")
    monkeypatch.setattr(moves, "settle_job", fail)
    with pytest.raises(Killed):
        run_pending("train")
    assert not EndMail.objects.exists()
    assert not Job.objects.filter(kind=END_MAIL.name).exists()


def test_a_server_that_is_away_is_tried_again(end, server):
    end("do")
    server += [ConnectionRefusedError(), TimeoutError(), smtplib.SMTPServerDisconnected()]
    server += [smtplib.SMTPResponseException(451, b"later")]
    server += [smtplib.SMTPRecipientsRefused({"owner@example.org": (450, b"later")})]
    (job,) = run_pending("light")
    assert (job.state, job.failures) == (State.SUCCEEDED, 5)
    assert len(mail.outbox) == 1


@pytest.mark.parametrize(
    "refusal",
    [
        smtplib.SMTPSenderRefused(550, b"no", "atelier@localhost"),
        smtplib.SMTPRecipientsRefused({"owner@example.org": (550, b"nobody")}),
    ],
)
def test_a_server_that_refuses_for_good_is_not_asked_again(end, server, refusal):
    end("do")
    server.append(refusal)
    (job,) = run_pending("light")
    assert (job.state, job.failures) == (State.FAILED, 1)
    assert not mail.outbox


def test_a_sender_that_is_killed_before_it_sends_sends_later(end, server):
    end("do")
    server.append(Killed())
    with pytest.raises(Killed):
        run_pending("light")
    abandon_attempt(Job.objects.get(kind=END_MAIL.name), cause="killed in a test")
    run_pending("light")
    assert len(mail.outbox) == 1


def test_a_sender_that_is_killed_between_sending_and_noting_sends_a_known_copy(end, monkeypatch):
    """The one case in which two arrive: both carry one Message-ID."""
    end("do")
    monkeypatch.setattr("jobs.mail._note_sent", lambda _mail: (_ for _ in ()).throw(Killed()))
    with pytest.raises(Killed):
        run_pending("light")
    monkeypatch.undo()
    abandon_attempt(Job.objects.get(kind=END_MAIL.name), cause="killed in a test")
    run_pending("light")
    first, second = mail.outbox
    assert first.extra_headers["Message-ID"] == second.extra_headers["Message-ID"]


@pytest.mark.parametrize("change", [{"mail_when_ended": False}, {"is_active": False}])
@pytest.mark.parametrize("when", ["before", "after"])
def test_who_does_not_want_it_gets_none(end, owner, change, when):
    type(owner).objects.filter(pk=owner.pk).update(**(change if when == "before" else {}))
    end("do")
    type(owner).objects.filter(pk=owner.pk).update(**change)
    run_pending("light")
    assert not mail.outbox


@pytest.mark.parametrize(("is_confirmed", "sent"), [(True, 1), (False, 0)])
def test_an_address_that_is_not_confirmed_may_be_somebody_elses(end, owner, is_confirmed, sent):
    EmailAddress.objects.create(user=owner, email=owner.email, verified=is_confirmed, primary=True)
    end("do")
    run_pending("light")
    assert len(mail.outbox) == sent


def test_a_kind_may_have_nothing_to_say(end):
    end("silent")
    run_pending("light")
    assert not mail.outbox
