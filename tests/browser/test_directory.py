"""The directory in a browser: results as one types and ticks, shared addresses, the sheet of a phone."""

from collections.abc import Iterator

import pytest
from django.urls import reverse
from playwright.sync_api import Browser, Page, expect

from catalog.models import CatalogModel, Visibility
from tests.world import build_world

URL = reverse("catalog:model_browse")

pytestmark = pytest.mark.usefixtures("django_db_setup")


@pytest.fixture
def page(browser: Browser, live_server, transactional_db, make_user, tmp_path) -> Iterator[Page]:
    build_world(make_user(), tmp_path)
    CatalogModel.objects.update(visibility=Visibility.PUBLIC, keywords=["sea"])
    CatalogModel.objects.filter(name="shells").update(type="transform")
    context = browser.new_context(base_url=live_server.url)
    yield context.new_page()
    context.close()


def test_typing_and_ticking_change_results_and_address(page: Page) -> None:
    page.goto(URL)
    page.fill("#q", "shel")
    page.wait_for_url(f"**{URL}?q=shel")
    expect(page.locator("#results h2 a")).to_have_text(["Shells"])
    page.check("#type-transform")
    page.wait_for_url(f"**{URL}?q=shel&type=transform")
    assert page.evaluate("document.activeElement.id") == "type-transform"
    page.go_back()
    page.wait_for_url(f"**{URL}?q=shel")
    expect(page.locator("#type-transform")).not_to_be_checked()
    expect(page.locator("h1")).to_have_count(1)


def test_the_sheet_of_filters_stays_open_while_one_ticks(page: Page) -> None:
    page.set_viewport_size({"width": 375, "height": 800})
    page.goto(URL)
    expect(page.locator("#filters")).not_to_be_visible()
    page.click(".search [popovertarget=filters]")
    page.check("#type-transform")
    page.wait_for_url("**type=transform")
    expect(page.locator("#filters")).to_be_visible()
    page.click("#filters [popovertarget=filters]")
    expect(page.locator("#filters")).not_to_be_visible()
    expect(page.locator("a.chip", has_text="Transform")).to_be_visible()


def test_without_scripts_it_is_a_form(browser: Browser, page: Page, live_server) -> None:
    context = browser.new_context(base_url=live_server.url, java_script_enabled=False)
    plain = context.new_page()
    plain.goto(URL)
    plain.check("#type-transform")
    plain.click("noscript button")
    assert "type=transform" in plain.url
    expect(plain.locator("#results h2 a")).to_have_text(["Shells"])
    context.close()
