"""Reviews, reports, attributions and models in Django admin: offered, asked for twice, and audited."""

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from catalog.models import Attribution, CatalogModel, Licence, ModelReport, PublicationRequest
from catalog.services.reviews import ask_for_publication, report_model

REQUESTS = "admin:catalog_publicationrequest_changelist"
REPORTS = "admin:catalog_modelreport_changelist"
MODELS = "admin:catalog_catalogmodel_changelist"


@pytest.fixture
def staff_client(staff):
    client = Client()
    client.force_login(staff)
    return client


@pytest.fixture
def reader_client(make_user):
    """Staff who may look, and do nothing."""
    reader = make_user("reader@example.org", is_staff=True)
    names = ["view_publicationrequest", "view_modelreport", "view_catalogmodel"]
    reader.user_permissions.set(Permission.objects.filter(codename__in=names))
    client = Client()
    client.force_login(reader)
    return client


@pytest.fixture
def asked(version):
    return ask_for_publication(
        model=version.model, licence=Licence.objects.get(slug="mit"), message="Please."
    )


def act(client, page, name, *rows, **fields):
    """Choose an action for rows of a list; with `reason` it is confirmed."""
    confirmed = {"confirmed": "1"} if "reason" in fields else {}
    chosen = {"action": name, "_selected_action": [str(row.pk) for row in rows]}
    return client.post(reverse(page), chosen | confirmed | fields)


def test_a_request_is_looked_at_and_approved_in_two_steps(staff_client, stranger_client, asked):
    model = asked.model
    page = staff_client.get(reverse("admin:catalog_publicationrequest_change", args=[asked.pk]))
    for told in ("Please.", "MIT License", f"{model.owner.handle}/faces"):
        assert told in page.text
    shown = reverse("catalog:model_detail", args=[model.owner.handle, "faces"])
    assert staff_client.get(shown).status_code == 200
    one = reverse("admin:catalog_publicationrequest_act", args=[asked.pk, "approve"])
    assert "Everybody finds the model" in staff_client.get(one).text
    assert act(staff_client, REQUESTS, "approve", asked).status_code == 200
    assert act(staff_client, REQUESTS, "approve", asked, reason=" ").status_code == 422
    assert stranger_client.get(shown).status_code == 404
    act(staff_client, REQUESTS, "approve", asked, reason="Lovely cats.")
    assert stranger_client.get(shown).status_code == 200
    assert LogEntry.objects.get().change_message == "approve: Lovely cats."


def test_what_cannot_be_done_is_said(staff_client, asked):
    act(staff_client, REQUESTS, "decline", asked, reason="No.")
    again = act(staff_client, REQUESTS, "approve", asked, reason="Yes.")
    assert "does not wait any more" in staff_client.get(again["Location"]).text
    assert LogEntry.objects.count() == 1


def test_the_queue_of_reports_begins_with_what_cannot_wait(staff_client, public_version, version):
    values = {"model": public_version.model, "reporter": None, "text": "See."}
    for reason in ("broken", "illegal", "licence", "likeness"):
        report_model(reason=reason, **values)
    ModelReport.objects.filter(reason="illegal").update(state="dismissed")
    listed = staff_client.get(reverse(REPORTS)).context["cl"].result_list
    assert [row.reason for row in listed] == ["likeness", "broken", "licence", "illegal"]


def test_an_upheld_report_withdraws_the_model(staff_client, public_version):
    report = report_model(model=public_version.model, reporter=None, reason="rights", text="Mine.")
    act(staff_client, REPORTS, "uphold", report, reason="It is theirs.")
    public_version.model.refresh_from_db()
    assert public_version.model.withdrawal_reason == "It is theirs."
    assert LogEntry.objects.get().change_message == "uphold: It is theirs."


def test_a_dismissed_report_leaves_it(staff_client, public_version):
    report = report_model(model=public_version.model, reporter=None, reason="other", text="Hm.")
    act(staff_client, REPORTS, "dismiss", report, reason="Nothing wrong.")
    report.refresh_from_db()
    assert (report.state, report.decision) == (ModelReport.State.DISMISSED, "Nothing wrong.")


def test_models_are_featured_withdrawn_and_restored(staff_client, public_version):
    def now():
        return CatalogModel.objects.get(pk=public_version.model_id)

    act(staff_client, MODELS, "feature", now(), reason="Good.")
    assert now().featured_at
    act(staff_client, MODELS, "unfeature", now(), reason="Enough.")
    assert now().featured_at is None
    act(staff_client, MODELS, "withdraw", now(), reason="Not theirs.")
    assert now().withdrawn_at
    act(staff_client, MODELS, "restore", now(), reason="Theirs after all.")
    assert now().withdrawn_at is None
    told = [entry.change_message.split(":")[0] for entry in LogEntry.objects.order_by("pk")]
    assert told == ["feature", "unfeature", "withdraw", "restore"]
    page = staff_client.get(reverse("admin:catalog_catalogmodel_change", args=[now().pk]))
    assert reverse("admin:catalog_catalogmodel_act", args=[now().pk, "feature"]) in page.text


def test_a_private_model_is_not_featured(staff_client, version):
    answer = act(staff_client, MODELS, "feature", version.model, reason="Good.")
    assert "everybody can find" in staff_client.get(answer["Location"]).text


def test_looking_is_not_doing(reader_client, asked, public_version):
    report = report_model(model=public_version.model, reporter=None, reason="other", text="Hm.")
    for page, name, row in (
        (REQUESTS, "approve", asked),
        (REPORTS, "uphold", report),
        (MODELS, "withdraw", public_version.model),
    ):
        assert reader_client.get(reverse(page)).status_code == 200
        assert act(reader_client, page, name, row, reason="Mine to decide.").status_code == 403
    asked.refresh_from_db()
    assert asked.state == PublicationRequest.State.WAITING
    assert LogEntry.objects.filter(change_message__startswith="Refused").count() == 3


def test_attributions_are_edited(staff_client, version):
    values = {"model": str(version.model_id), "name": "Ann", "role": "drew it", "link": ""}
    assert staff_client.post(reverse("admin:catalog_attribution_add"), values).status_code == 302
    assert Attribution.objects.get().name == "Ann"


def test_markup_in_a_report_stays_text(staff_client, public_version):
    evil = "<script>alert(1)</script>"
    report = report_model(model=public_version.model, reporter=None, reason="other", text=evil)
    assert evil not in staff_client.get(reverse("admin:catalog_modelreport_change", args=[report.pk])).text
