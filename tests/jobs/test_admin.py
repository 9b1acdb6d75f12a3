"""Jobs in Django admin: what is shown, what may be done, and that nothing else is."""

import uuid

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from billing.models import CreditTxn
from billing.selectors import balance_of, ledger_differences, quote_price
from jobs import machines
from jobs.exceptions import LeaseLost
from jobs.execute import run_next
from jobs.leases import fail_job, finish_job
from jobs.models import Job, Machine, State
from jobs.services import stop_job

pytestmark = pytest.mark.django_db

JOBS = "admin:jobs_job_changelist"
MACHINES = "admin:jobs_machine_changelist"


@pytest.fixture
def staff_client(staff) -> Client:
    """Staff who may do everything."""
    client = Client()
    client.force_login(staff)
    return client


@pytest.fixture
def reader_client(make_user) -> Client:
    """Staff who may look at jobs and machines and do nothing."""
    reader = make_user("reader@example.org", is_staff=True)
    reader.user_permissions.set(Permission.objects.filter(codename__in=["view_job", "view_machine"]))
    client = Client()
    client.force_login(reader)
    return client


@pytest.fixture
def charged(submit, claim) -> Job:
    """A job of the owner's for which three pictures were delivered and charged."""
    job = submit("noop", total=3, quote=quote_price("picture", 3))
    Job.objects.update(delivered=3)
    finish_job(claim("generate"), State.SUCCEEDED)
    job.refresh_from_db()
    assert job.price_charged > 0
    return job


def act(client: Client, name: str, *rows, page: str = JOBS, **fields):
    """Choose an action for rows of a list; with `reason` it is confirmed."""
    chosen = {"action": name, "_selected_action": [str(row.pk) for row in rows]}
    confirmed = {"confirmed": "1"} if "reason" in fields else {}
    return client.post(reverse(page), chosen | confirmed | fields)


def now(job: Job) -> Job:
    return Job.objects.get(pk=job.pk)


# What is shown


def test_the_list(staff_client, submit):
    submit("count", label="My training", total=40)

    response = staff_client.get(reverse(JOBS), {"state": "queued", "q": "owner@"})

    assert response.status_code == 200
    assert "My training" in response.text
    assert "0 / 40" in response.text


@pytest.mark.parametrize(
    ("trouble", "label"),
    [("faults", "faulty"), ("fits-nowhere", "huge"), ("held-back", "later"), ("silent", "silent")],
)
def test_what_is_in_trouble(staff_client, submit, claim, trouble, label):
    for each in ("fine", "later", "faulty", "silent"):
        submit("count", label=each)
    submit("count", label="huge", needs_bytes=1 << 50)
    jobs = {job.label: Job.objects.filter(pk=job.pk) for job in Job.objects.all()}
    jobs["later"].update(is_held_back=True)
    jobs["faulty"].update(failures=1)
    jobs["silent"].update(state=State.RUNNING, lease_until=timezone.now())

    response = staff_client.get(reverse(JOBS), {"trouble": trouble})

    assert [job.label for job in response.context["cl"].result_list] == [label]


def test_the_jobs_of_a_machine(staff_client, submit, claim):
    machine = machines.this_machine()
    submit("count", label="here")
    submit("count", label="elsewhere")
    claim(worker=f"{machine.name}:train:1")

    response = staff_client.get(reverse(JOBS), {"machine": machine.name})

    assert [job.label for job in response.context["cl"].result_list] == ["here"]


def test_the_timeline(staff_client, submit, claim):
    job = submit("count")
    finish_job(claim(), State.SUCCEEDED)

    response = staff_client.get(reverse("admin:jobs_job_change", args=[job.pk]))

    assert response.status_code == 200
    for cause in ("submitted", "claimed", "finished"):
        assert cause in response.text


def test_what_a_job_moved_in_the_ledger(staff_client, charged):
    response = staff_client.get(reverse("admin:jobs_job_change", args=[charged.pk]))

    for kind in ("hold", "capture"):
        assert f"{kind}:{charged.pk}:0" in response.text
    assert reverse("admin:jobs_job_give_back", args=[charged.pk]) in response.text


def test_a_waiting_job_that_fits_nowhere(staff_client, submit):
    machines.this_machine()
    job = submit("count", needs_bytes=1 << 50)

    response = staff_client.get(reverse("admin:jobs_job_change", args=[job.pk]))

    assert "the largest machine has" in response.text


def test_the_machines(staff_client, submit, claim):
    machine = machines.this_machine()
    submit("count", label="My training", total=40)
    claim(worker=f"{machine.name}:train:1")
    away = Machine.objects.get(pk=machine.pk)
    away.pk, away.host, away.seen_at = uuid.uuid4(), "other", timezone.now() - 2 * machines.AWAY_AFTER
    away.save(force_insert=True)

    listed = staff_client.get(reverse(MACHINES))
    page = staff_client.get(reverse("admin:jobs_machine_change", args=[machine.pk]))

    for response in (listed, page):
        assert machine.name in response.text
        assert "working" in response.text
        assert "My training" in response.text
    assert "away" in listed.text


# Nothing can be changed by hand


def test_nothing_can_be_changed(staff_client, submit):
    job = submit("count")
    change = reverse("admin:jobs_job_change", args=[job.pk])

    assert staff_client.get(reverse("admin:jobs_job_add")).status_code == 403
    assert staff_client.post(change, {"state": "succeeded"}).status_code == 403
    assert staff_client.post(reverse("admin:jobs_job_delete", args=[job.pk])).status_code == 403
    assert now(job).state == State.QUEUED


@pytest.mark.parametrize(
    "fields",
    [
        {"action": "cancel", "confirmed": "1", "reason": "I can"},
        {"action": "requeue"},
        {"action": "delete_selected", "post": "yes"},
        {"action": "no-such-action"},
        {"_save": "Save", "form-0-state": "succeeded", "form-TOTAL_FORMS": "1", "form-INITIAL_FORMS": "1"},
    ],
)
def test_a_tampered_post_of_staff_without_permission(reader_client, submit, fields):
    job = submit("count")
    posted = {"_selected_action": [str(job.pk)], "form-0-id": str(job.pk)} | fields

    assert reader_client.get(reverse(JOBS)).status_code == 200
    assert reader_client.post(reverse(JOBS), posted).status_code == 403

    assert Job.objects.filter(pk=job.pk, state=State.QUEUED, rev=job.rev).exists()
    entry = LogEntry.objects.get()
    assert (entry.user.email, entry.change_message[:7]) == ("reader@example.org", "Refused")


def test_a_tampered_inline(reader_client, submit):
    job = submit("count")
    posted = {"events-TOTAL_FORMS": "1", "events-INITIAL_FORMS": "0", "events-0-cause": "nothing happened"}

    response = reader_client.post(reverse("admin:jobs_job_change", args=[job.pk]), posted)

    assert response.status_code == 403
    assert job.events.count() == 1
    assert LogEntry.objects.get().change_message == "Refused: a change"


@pytest.mark.parametrize("name", ["cancel", "requeue", "give-back"])
def test_pages_that_staff_without_permission_find_by_guessing(reader_client, charged, name):
    page = f"admin:jobs_job_{'give_back' if name == 'give-back' else 'act'}"
    url = reverse(page, args=[charged.pk] if name == "give-back" else [charged.pk, name])

    assert reader_client.get(url).status_code == 403
    assert reader_client.post(url, {"amount": 1, "reason": "I can"}).status_code == 403
    assert not CreditTxn.objects.filter(key=f"grant:jobrefund:{charged.pk}").exists()
    change = reader_client.get(reverse("admin:jobs_job_change", args=[charged.pk]))
    assert change.status_code == 200
    assert url not in change.text


def test_not_for_users(owner_client, submit):
    job = submit("count")
    assert owner_client.get(reverse(JOBS)).status_code == 404
    assert owner_client.post(reverse("admin:jobs_job_act", args=[job.pk, "cancel"])).status_code == 404
    assert owner_client.get(reverse("admin:jobs_job_give_back", args=[job.pk])).status_code == 404


# Canceling and queueing again


def test_an_act_is_confirmed_with_a_reason(staff_client, submit):
    job = submit("count", label="My training")

    page = staff_client.get(reverse("admin:jobs_job_act", args=[job.pk, "cancel"]))
    asked = act(staff_client, "cancel", job)
    without_reason = act(staff_client, "cancel", job, reason=" ")

    assert [answer.status_code for answer in (page, asked, without_reason)] == [200, 200, 422]
    assert all("My training" in answer.text for answer in (page, asked, without_reason))
    assert now(job).state == State.QUEUED
    assert staff_client.get(reverse("admin:jobs_job_act", args=[job.pk, "erase"])).status_code == 404
    assert staff_client.get(reverse("admin:jobs_job_act", args=[uuid.uuid4(), "cancel"])).status_code == 404


def test_canceling(staff, staff_client, submit, claim):
    running, waiting, ended = submit("count"), submit("count"), submit("count")
    claim()
    stop_job(job=ended)

    response = act(staff_client, "cancel", running, waiting, ended, reason="The disk is full")

    assert response.status_code == 302
    assert (now(running).state, now(waiting).state) == (State.STOPPING, State.CANCELED)
    assert "The disk is full" in now(waiting).error
    assert waiting.events.last().cause == f"canceled by {staff.public_name}: The disk is full"
    assert {entry.object_id for entry in LogEntry.objects.all()} == {str(running.pk), str(waiting.pk)}
    assert {entry.change_message for entry in LogEntry.objects.all()} == {"cancel: The disk is full"}


def test_queueing_again(staff_client, submit, claim):
    running, failed, ended, single = submit("count"), submit("count"), submit("count"), submit("refuse")
    claim()
    fail_job(claim(), error="out of memory", cause="fault", is_final=True)
    finish_job(claim(), State.SUCCEEDED)
    fail_job(claim("light"), error="no", cause="fault", is_final=True)

    act(staff_client, "requeue", running, failed, ended, single, reason="The card was replaced")

    states = [now(job).state for job in (running, failed, ended, single)]
    assert states == [State.QUEUED, State.QUEUED, State.SUCCEEDED, State.FAILED]
    assert "The card was replaced" in running.events.last().cause
    assert (now(failed).failures, now(failed).error) == (0, "")
    assert LogEntry.objects.count() == 2


def test_a_job_that_was_taken_from_its_worker_is_done_by_another(staff_client, submit, claim):
    job = submit("count", total=1)
    taken = claim()

    act(staff_client, "requeue", job, reason="It hangs")
    with pytest.raises(LeaseLost):
        finish_job(taken, State.SUCCEEDED)
    run_next(queue="train", worker="worker-2", in_background=False)

    assert (now(job).state, now(job).attempt, now(job).worker) == (State.SUCCEEDED, 2, "worker-2")


# Giving credits back


def open_page(client: Client, job: Job) -> tuple[str, str]:
    """Open the page; return its address and its token."""
    url = reverse("admin:jobs_job_give_back", args=[job.pk])
    page = client.get(url)
    assert page.status_code == 200
    return url, str(page.context["form"].initial["token"])


def test_giving_credits_back(staff, staff_client, charged, owner: User):
    before = balance_of(owner).available
    url, token = open_page(staff_client, charged)

    response = staff_client.post(url, {"amount": 2, "reason": "All black", "token": token}, follow=True)

    assert response.status_code == 200
    assert balance_of(owner).available == before + 2
    txn = CreditTxn.objects.get(key=f"grant:jobrefund:{charged.pk}")
    assert (txn.actor_id, txn.actor_name) == (str(staff.pk), staff.public_name)
    assert txn.reason == "All black"
    assert txn.key in response.text
    assert ledger_differences(owner.credit_account) == {}
    assert LogEntry.objects.get().change_message == "gave back 2 credits: All black"


def test_the_same_page_sent_twice_gives_back_once(staff_client, charged, owner):
    url, token = open_page(staff_client, charged)
    posted = {"amount": 1, "reason": "All black", "token": token}
    staff_client.post(url, posted)
    given = balance_of(owner).available

    again = staff_client.post(url, posted, follow=True)

    assert "sent already" in again.text
    assert balance_of(owner).available == given
    assert LogEntry.objects.count() == 1
    assert "were given back for this job already" in staff_client.get(url).text


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"amount": 1, "reason": " "}, "This field is required"),
        ({"amount": 1000, "reason": "All black"}, "give back at most as many"),
        ({"amount": 0, "reason": "All black"}, "greater than or equal to 1"),
        ({"amount": "", "reason": "All black"}, "This field is required"),
    ],
)
def test_a_form_that_is_not_in_order(staff_client, charged, owner, fields, sentence):
    before = balance_of(owner).available
    url, token = open_page(staff_client, charged)

    response = staff_client.post(url, fields | {"token": token})

    assert response.status_code == 422
    assert sentence in response.text
    assert balance_of(owner).available == before
    assert not LogEntry.objects.exists()


def test_a_token_of_another_page(staff_client, charged, owner):
    before = balance_of(owner).available
    url, _token = open_page(staff_client, charged)

    staff_client.post(url, {"amount": 1, "reason": "All black", "token": uuid.uuid4()})

    assert balance_of(owner).available == before


def test_what_cost_nothing(staff_client, submit):
    job = submit("count")
    url, token = open_page(staff_client, job)

    assert "nothing to give back" in staff_client.get(url).text
    assert staff_client.post(url, {"amount": 1, "reason": "x", "token": token}).status_code == 422
    assert url not in staff_client.get(reverse("admin:jobs_job_change", args=[job.pk])).text


# Machines


def test_draining_and_taking_back(staff_client):
    machine = machines.this_machine()

    act(staff_client, "drain", machine, page=MACHINES, reason="New memory")
    assert machines.this_machine().is_draining
    assert "drained" in staff_client.get(reverse(MACHINES)).text
    act(staff_client, "drain", machine, page=MACHINES, reason="New memory")
    act(staff_client, "take_back", machine, page=MACHINES, reason="It is in")

    assert not machines.this_machine().is_draining
    assert [entry.change_message for entry in LogEntry.objects.order_by("id")] == [
        "drain: New memory",
        "take_back: It is in",
    ]


def test_draining_without_permission(reader_client):
    machine = machines.this_machine()

    response = act(reader_client, "drain", machine, page=MACHINES, reason="I can")

    assert response.status_code == 403
    assert not machines.this_machine().is_draining
