"""Who may have a model: grants, visibility, review, reports, withdrawing, and the letters about them."""

import smtplib

import pytest
from django.core import mail

from catalog.exceptions import ReviewRefused, TermsForbid
from catalog.models import (
    CatalogModel,
    Derivation,
    Letter,
    Licence,
    LicenceGrant,
    ModelReport,
    PublicationRequest,
    Source,
    Visibility,
)
from catalog.selectors import find_runnable, runnable_models
from catalog.services import add_version
from catalog.services.licences import (
    grant_licence,
    judge_derivation,
    licence_for_others,
    refresh_outputs_commercial,
    write_licence,
)
from catalog.services.reviews import (
    approve_request,
    ask_for_publication,
    decline_request,
    dismiss_report,
    forget_reporter,
    report_model,
    take_back_request,
    uphold_report,
)
from catalog.services.sharing import (
    make_private,
    make_public,
    make_unlisted,
    restore_model,
    set_featured,
    withdraw_model,
)
from jobs.models import Job, State
from jobs.testing import run_pending
from tests.catalog.folders import make_folder

WAITING, APPROVED = PublicationRequest.State.WAITING, PublicationRequest.State.APPROVED


def licence(slug: str) -> Licence:
    return Licence.objects.get(slug=slug)


@pytest.fixture
def model(version):
    return version.model


@pytest.fixture
def child_of(publish, owner, stranger):
    """Return a function that publishes what the owner made from a stranger's model under a licence."""

    def make(slug: str):
        parent = publish(stranger, "origin", seed=41, licence=licence(slug), visibility=Visibility.PUBLIC)
        return publish(owner, "child", seed=42, parents=[(parent.source, Derivation.Role.STARTING_POINT)])

    return make


# Licences for others


def test_nobody_has_own_work_until_a_licence_is_chosen(model, stranger):
    assert licence_for_others(model) is None
    with pytest.raises(TermsForbid, match="for yourself alone"):
        make_public(model=model, licence=licence("own-work"))
    with pytest.raises(TermsForbid, match="owner only"):
        judge_derivation(version=model.latest_version, actor=stranger)
    grant_licence(model=model, licence=licence("cc-by-4.0"))
    judge_derivation(version=model.latest_version, actor=stranger)
    assert licence_for_others(model).pk == "cc-by-4.0"


def test_the_same_grant_is_kept_once(model):
    for slug in ("mit", "mit", "cc0-1.0"):
        grant_licence(model=model, licence=licence(slug))
    assert LicenceGrant.objects.count() == 2


def test_a_further_version_is_had_under_the_same_licence(model, tmp_path):
    grant_licence(model=model, licence=licence("cc-by-4.0"))
    add_version(model=model, folder=make_folder(tmp_path / "next", seed=9), licence=licence("own-work"))
    assert licence_for_others(model).pk == "cc-by-4.0"


def test_a_further_version_whose_origins_forbid_it_is_not(model, publish, stranger, tmp_path):
    grant_licence(model=model, licence=licence("mit"))
    origin = publish(stranger, "origin", seed=5, licence=licence("cc-by-nc-4.0"))
    add_version(
        model=model,
        folder=make_folder(tmp_path / "next", seed=9),
        licence=licence("own-work"),
        parents=[(origin.source, Derivation.Role.STARTING_POINT)],
    )
    assert licence_for_others(model) is None


def test_a_licence_that_was_given_by_others_cannot_be_widened(publish, owner):
    brought = publish(owner, "brought", licence=licence("cc-by-nc-4.0")).model
    with pytest.raises(TermsForbid, match="would allow commercial use"):
        grant_licence(model=brought, licence=licence("mit"))
    grant_licence(model=brought, licence=licence("cc-by-nc-sa-4.0"))
    assert licence_for_others(brought).pk == "cc-by-nc-sa-4.0"


def test_a_text_of_ones_own_is_a_licence(model, stranger):
    written = write_licence(text="Be kind.", allowed=["distribution", "include-copyright", "nonsense"])
    assert written == write_licence(text="Be kind.", allowed=["include-copyright", "distribution"])
    assert (written.derivatives, written.outputs_commercial, written.attribution_required) == (
        False,
        False,
        True,
    )
    make_unlisted(model=model, licence=written)
    with pytest.raises(TermsForbid, match="Terms in a text"):
        judge_derivation(version=model.latest_version, actor=stranger)


def test_what_others_may_not_do_with_ones_own_work_one_may(model, publish, owner, stranger):
    """The licence for others of an earlier model is none of a later one's."""
    grant_licence(model=model, licence=licence("cc-by-nc-nd-4.0"))
    later = publish(owner, "later", seed=3, parents=[(model.latest_version.source, "starting_point")])
    judge_derivation(version=model.latest_version, actor=owner)
    make_unlisted(model=later.model, licence=licence("mit"))
    judge_derivation(version=later, actor=stranger)
    assert CatalogModel.objects.get(pk=later.model_id).outputs_commercial
    make_unlisted(model=model, licence=licence("all-rights-reserved"))
    with pytest.raises(TermsForbid):
        judge_derivation(version=model.latest_version, actor=stranger)


# What the directory filters by


def test_outputs_commercial_follows_grants_and_licences(child_of, publish, owner):
    child = child_of("cc-by-nc-4.0")
    own = publish(owner, "own", seed=6)
    told = CatalogModel.objects.values_list("name", "outputs_commercial")
    assert dict(told.all()) == {"origin": False, "child": False, "own": True}
    grant_licence(model=own.model, licence=licence("cc-by-nc-4.0"))
    assert dict(told.all())["own"] is False
    Licence.objects.filter(pk="cc-by-nc-4.0").update(outputs_commercial=True)
    refresh_outputs_commercial()
    assert dict(told.all()) == {"origin": True, "child": True, "own": True}
    assert child.model.versions.count() == 1


# Visibility


def test_unlisted_is_reached_and_not_listed(model, stranger):
    make_unlisted(model=model, licence=licence("mit"))
    assert model not in CatalogModel.objects.visible_to(stranger)
    assert model in CatalogModel.objects.reachable_by(stranger)
    assert find_runnable(stranger, model.address) == model.latest_version
    assert not runnable_models(stranger).exists()


@pytest.mark.parametrize(
    ("slug", "chosen", "sentence"),
    [
        ("cc-by-nd-4.0", "cc-by-nd-4.0", "“Origin” may not be changed"),
        ("cc-by-nc-4.0", "mit", "would allow commercial use"),
        ("cc-by-sa-4.0", "mit", "is shared under"),
        ("all-rights-reserved", "cc0-1.0", "may not be shared"),
        ("own-work", "mit", "“Origin” is for its owner only"),
    ],
)
def test_what_an_origin_forbids_is_refused_with_its_sentence(child_of, owner, slug, chosen, sentence):
    model = child_of(slug).model
    for share in (make_unlisted, make_public, ask_for_publication):
        with pytest.raises(TermsForbid, match=sentence):
            share(model=model, licence=licence(chosen))
    model.refresh_from_db()
    assert model.visibility == Visibility.PRIVATE
    assert not LicenceGrant.objects.exists()
    assert not PublicationRequest.objects.exists()


def test_a_dataset_forbids_too(publish, owner):
    pictures = Source.objects.create(
        kind=Source.Kind.DATASET, label="Prints", sha256="a" * 64, licence_id="cc-by-nc-4.0"
    )
    model = publish(owner, parents=[(pictures, Derivation.Role.DATASET)]).model
    with pytest.raises(TermsForbid, match="“Prints”"):
        make_public(model=model, licence=licence("apache-2.0"))
    make_public(model=model, licence=licence("cc-by-nc-4.0"))


# Review


def test_public_comes_after_a_review(model, staff, stranger):
    asked = ask_for_publication(model=model, licence=licence("cc-by-4.0"), message="Please.")
    assert model not in CatalogModel.objects.reachable_by(stranger)
    assert model in CatalogModel.objects.reachable_by(staff)
    approve_request(request=asked, reviewer=staff, answer="Lovely.")
    model.refresh_from_db()
    asked.refresh_from_db()
    assert (model.visibility, asked.state, asked.reviewer) == (Visibility.PUBLIC, APPROVED, staff)
    assert licence_for_others(model).pk == "cc-by-4.0"
    letter = Letter.objects.get()
    assert (letter.to, "Lovely." in letter.body) == (model.owner.email, True)


def test_staff_publish_directly(publish, staff):
    model = publish(staff).model
    assert ask_for_publication(model=model, licence=licence("mit")) is None
    model.refresh_from_db()
    assert model.visibility == Visibility.PUBLIC


def test_a_request_is_made_once_and_taken_back(model, staff):
    asked = ask_for_publication(model=model, licence=licence("mit"))
    with pytest.raises(ReviewRefused, match="already"):
        ask_for_publication(model=model, licence=licence("mit"))
    take_back_request(model=model)
    with pytest.raises(ReviewRefused):
        take_back_request(model=model)
    with pytest.raises(ReviewRefused):
        approve_request(request=asked, reviewer=staff, answer="Too late.")
    assert ask_for_publication(model=model, licence=licence("mit")).state == WAITING
    make_private(model=model)
    assert not model.publication_requests.filter(state=WAITING).exists()


def test_a_declined_model_stays_as_it_is(model, staff):
    asked = ask_for_publication(model=model, licence=licence("mit"))
    decline_request(request=asked, reviewer=staff, answer="Name the photographer.")
    model.refresh_from_db()
    assert model.visibility == Visibility.PRIVATE
    assert "Name the photographer." in Letter.objects.get().body
    with pytest.raises(ReviewRefused):
        decline_request(request=asked, reviewer=staff, answer="Again.")


def test_terms_that_changed_meanwhile_are_looked_at_again(child_of, staff):
    model = child_of("mit").model
    asked = ask_for_publication(model=model, licence=licence("mit"))
    Licence.objects.filter(pk="mit").update(derivatives=False)
    with pytest.raises(TermsForbid):
        approve_request(request=asked, reviewer=staff, answer="Fine.")
    asked.refresh_from_db()
    assert asked.state == WAITING


# Withdrawing


def test_a_withdrawn_model_leaves_and_what_was_made_stays(publish, owner, stranger, staff):
    model = publish(owner, licence=licence("mit"), visibility=Visibility.PUBLIC).model
    made = publish(stranger, "made", seed=8, parents=[(model.latest_version.source, "starting_point")])
    withdraw_model(model=model, reason="A mistake.", by=owner)
    assert model not in CatalogModel.objects.visible_to(stranger)
    assert not runnable_models(owner).filter(model=model).exists()
    assert made.source.derived_from.get().parent == model.latest_version.source
    assert runnable_models(stranger).filter(model=made.model).exists()
    assert not Letter.objects.exists()
    with pytest.raises(ReviewRefused):
        withdraw_model(model=model, reason="Again.", by=owner)
    with pytest.raises(ReviewRefused):
        make_unlisted(model=model, licence=licence("mit"))
    approve_request(
        request=ask_for_publication(model=model, licence=licence("mit")), reviewer=staff, answer="Mended."
    )
    assert model in CatalogModel.objects.visible_to(stranger)


def test_staff_write_to_the_publisher_and_can_undo_it(public_version, staff, stranger):
    model = public_version.model
    set_featured(model=model, is_featured=True)
    withdraw_model(model=model, reason="Not yours.", by=staff)
    assert model.featured_at is None
    assert "Not yours." in Letter.objects.get().body
    restore_model(model=model)
    assert model in CatalogModel.objects.visible_to(stranger)
    with pytest.raises(ReviewRefused):
        restore_model(model=model)


def test_only_what_everybody_finds_is_featured(model):
    with pytest.raises(ReviewRefused):
        set_featured(model=model, is_featured=True)


# Reports


def test_an_upheld_report_withdraws_and_ends_the_others(public_version, staff, stranger):
    model = public_version.model
    values = {"model": model, "text": "That is me.", "reason": ModelReport.Reason.LIKENESS}
    first = report_model(reporter=stranger, email="me@example.org", **values)
    second = report_model(reporter=None, **values)
    assert Letter.objects.filter(to=staff.email).count() == 2  # such a one cannot wait
    uphold_report(report=first, reviewer=staff, decision="The person did not agree.")
    model.refresh_from_db()
    second.refresh_from_db()
    assert model.withdrawal_reason == "The person did not agree."
    assert second.state == ModelReport.State.UPHELD
    assert Letter.objects.filter(to="me@example.org").count() == 1
    assert Letter.objects.filter(to=model.owner.email).count() == 1
    with pytest.raises(ReviewRefused):
        dismiss_report(report=first, reviewer=staff, decision="Or not.")


def test_a_dismissed_report_leaves_the_model(public_version, staff):
    report = report_model(
        model=public_version.model, reporter=None, reason="broken", text="Grey.", email="me@example.org"
    )
    dismiss_report(report=report, reviewer=staff, decision="It works here.")
    public_version.model.refresh_from_db()
    assert public_version.model.withdrawn_at is None
    assert "It works here." in Letter.objects.get().body


def test_a_reporter_who_leaves_is_forgotten(public_version, staff, stranger):
    model = public_version.model
    report = report_model(model=model, reporter=stranger, reason="other", text="Hm.", email="me@example.org")
    dismiss_report(report=report, reviewer=staff, decision="Fine.")
    forget_reporter(stranger)
    report.refresh_from_db()
    assert (report.email, report.text) == ("", "Hm.")
    assert not Letter.objects.exists()


# Letters


def test_a_letter_is_sent_once(model, staff, django_capture_on_commit_callbacks):
    decline_request(
        request=ask_for_publication(model=model, licence=licence("mit")), reviewer=staff, answer="No."
    )
    run_pending("light")
    run_pending("light")
    (sent,) = mail.outbox
    assert sent.to == [model.owner.email]
    assert "not public yet" in sent.subject
    assert Letter.objects.get().sent_at


def test_a_letter_that_is_refused_for_good_is_not_tried_again(model, staff, monkeypatch):
    def refuse(self):
        raise smtplib.SMTPRecipientsRefused({"x": (550, b"no")})

    monkeypatch.setattr("django.core.mail.EmailMessage.send", refuse)
    decline_request(
        request=ask_for_publication(model=model, licence=licence("mit")), reviewer=staff, answer="No."
    )
    run_pending("light")
    assert Job.objects.get(kind="catalog.letter").state == State.FAILED


def test_nobody_is_written_to_who_cannot_be_reached(model, staff, owner):
    type(owner).objects.filter(pk=owner.pk).update(is_active=False)
    model.owner.refresh_from_db()
    withdraw_model(model=model, reason="Not yours.", by=staff)
    assert not Letter.objects.exists()
