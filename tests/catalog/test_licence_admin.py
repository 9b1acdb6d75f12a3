"""Licences in Django admin: terms are ticked, explained, and may not contradict themselves."""

import pytest
from django.contrib.admin.models import LogEntry
from django.forms.models import model_to_dict
from django.test import Client
from django.urls import reverse

from catalog.licences import MEANINGS, TITLES
from catalog.models import Licence, Visibility

SWITCHES = ("outputs_commercial", "derivatives", "share_alike", "attribution_required", "is_offered")
TEXTS = ("name", "spdx_id", "summary", "url", "full_text")


@pytest.fixture
def staff_client(staff):
    client = Client()
    client.force_login(staff)
    return client


def page(slug):
    return reverse("admin:catalog_licence_change", args=[slug])


def as_posted(licence, **changed):
    """What the page's form sends of a licence, with some of it changed."""
    values = {name: getattr(licence, name) for name in TEXTS}
    values |= {name: "on" for name in SWITCHES if getattr(licence, name)}
    values |= {name: getattr(licence, name) for name in MEANINGS}
    return {name: value for name, value in (values | changed).items() if value is not None}


def test_every_known_term_has_a_title_and_a_meaning():
    assert {slug for meanings in MEANINGS.values() for slug in meanings} == set(TITLES)


def test_every_term_is_a_box_with_what_it_means(licences, staff_client):
    shown = staff_client.get(page("cc-by-nc-4.0")).text
    assert shown.count('type="checkbox" name="permissions"') == len(MEANINGS["permissions"])
    assert "Commercial use: You may earn money with it." in shown
    assert "Commercial use: You may not earn money with it." in shown
    assert "[&quot;" not in shown


def test_a_common_licence_says_that_it_is_written_anew(licences, staff_client):
    Licence.objects.create(slug="house", name="House licence")
    assert "add a licence of your own" in staff_client.get(page("mit")).text
    assert "add a licence of your own" not in staff_client.get(page("house")).text


def test_a_seeded_licence_goes_through_its_form_as_it_is(licences, staff_client):
    for licence in Licence.objects.all():
        before = model_to_dict(licence)
        answer = staff_client.post(page(licence.slug), as_posted(licence))
        assert answer.status_code == 302, (licence.slug, answer.context["adminform"].errors)
        after = model_to_dict(Licence.objects.get(pk=licence.pk))
        for name in MEANINGS:
            before[name], after[name] = set(before[name]), set(after[name])
        before["full_text"], after["full_text"] = before["full_text"].split(), after["full_text"].split()
        assert after == before


def test_a_licence_that_is_edited_changes_what_may_be_sold(staff_client, publish, owner):
    licence = Licence.objects.get(slug="mit")
    model = publish(owner, licence=licence, visibility=Visibility.PUBLIC).model
    model.refresh_from_db()
    assert model.outputs_commercial
    values = as_posted(licence, permissions=["private-use", "modifications"], outputs_commercial=None)
    assert staff_client.post(page("mit"), values).status_code == 302
    model.refresh_from_db()
    assert not model.outputs_commercial
    assert LogEntry.objects.filter(object_id="mit").exists()


def test_restrictions_in_ones_own_words_stand_behind_the_known_ones(licences, staff_client):
    values = as_posted(
        Licence.objects.get(slug="mit"),
        use_restrictions=["harassment"],
        further_restrictions="No weapons\n\nNo weapons \nNo spam",
    )
    assert staff_client.post(page("mit"), values).status_code == 302
    licence = Licence.objects.get(slug="mit")
    assert licence.use_restrictions == ["harassment", "no-weapons", "no-spam"]
    form = staff_client.get(page("mit")).context["adminform"].form
    assert form.initial["use_restrictions"] == ["harassment"]
    assert form.initial["further_restrictions"] == "no weapons\nno spam"


def test_an_operators_own_condition_stays_until_it_is_taken_away(licences, staff_client):
    licence = Licence.objects.get(slug="mit")
    licence.conditions = ["include-copyright", "send-a-postcard"]
    licence.save()
    assert staff_client.get(page("mit")).text.count('value="send-a-postcard"') == 1
    assert staff_client.post(page("mit"), as_posted(licence)).status_code == 302
    licence.refresh_from_db()
    assert licence.conditions == ["include-copyright", "send-a-postcard"]


def test_nothing_ticked_is_an_empty_list(licences, staff_client):
    values = as_posted(Licence.objects.get(slug="cc0-1.0"), limitations=None)
    assert staff_client.post(page("cc0-1.0"), values).status_code == 302
    assert Licence.objects.get(slug="cc0-1.0").limitations == []


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"limitations": ["commercial-use"]}, "limitations"),
        ({"conditions": ["include-copyright", "same-license"]}, "share_alike"),
        ({"attribution_required": None}, "attribution_required"),
        ({"derivatives": None}, "derivatives"),
        ({"permissions": ["weapons"]}, "permissions"),
    ],
)
def test_what_contradicts_itself_is_said_beside_the_field(licences, staff_client, changed, field):
    answer = staff_client.post(page("mit"), as_posted(Licence.objects.get(slug="mit"), **changed))
    assert list(answer.context["adminform"].errors) == [field]
    assert Licence.objects.get(slug="mit").permissions == [
        "commercial-use",
        "modifications",
        "distribution",
        "private-use",
    ]
