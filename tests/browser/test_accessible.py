"""Every page as axe judges it (WCAG 2.2 AA), on a desktop in light and on a narrow phone in dark."""

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Browser, BrowserContext, Page

from tests.test_urls import APP_URLS, Whose, _address
from tests.world import World, build_world

STANDARD = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"],
    "resultTypes": ["violations"],
}
VIEWS = (("light", 1280), ("dark", 320))
SIGNED_OUT = (
    "home",
    "catalog:model_browse",
    "catalog:verify",
    "account_login",
    "account_signup",
    "account_reset_password",
)
TOO_WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
# A heading that has no room stands one letter a line, which neither axe nor the page's width tells.
SQUEEZED = "[...document.querySelectorAll('main h1:not(.sr)')].some(heading => heading.clientWidth < 160)"


# Its tables are made first: once there is a browser, every test has an event loop beside it.
pytestmark = pytest.mark.usefixtures("django_db_setup")


@pytest.fixture
def world(transactional_db, make_user, tmp_path) -> World:
    return build_world(make_user(), tmp_path)


@pytest.fixture
def context(browser: Browser, live_server) -> Iterator[BrowserContext]:
    opened = browser.new_context(base_url=live_server.url)
    yield opened
    opened.close()


def _faults(page: Page, address: str) -> list[str]:
    """What axe complains about, and what does not fit, in both views."""
    found = []
    page.goto(address)
    for scheme, width in VIEWS:
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        page.set_viewport_size({"width": width, "height": 900})
        view = f"{address} {scheme} {width}"
        for violation in Axe().run(page, options=STANDARD).response["violations"]:
            places = [node["target"][0] for node in violation["nodes"][:3]]
            found.append(f"{view}: {violation['id']} at {places}")
        if (pixels := page.evaluate(TOO_WIDE)) > 0:
            found.append(f"{view}: {pixels} px wider than the window")
        if page.evaluate(SQUEEZED):
            found.append(f"{view}: its heading has no room")
    return found


def test_pages_of_a_studio(context: BrowserContext, world: World, live_server) -> None:
    client = Client()
    client.force_login(world.owner)
    session = client.cookies[settings.SESSION_COOKIE_NAME].value
    context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": live_server.url}])
    page = context.new_page()
    faults = []
    for name, (kind, methods) in APP_URLS.items():
        if "GET" not in methods or kind is Whose.ALLAUTHS:
            continue
        address = _address(name, world)
        response = client.get(address)
        is_page = response["Content-Type"].startswith("text/html") and not response.streaming
        is_whole = is_page and "<html" in response.content.decode()
        response.close()
        if is_whole:
            faults += _faults(page, address)
    assert not faults, "\n".join(faults)


def test_pages_of_somebody_unknown(context: BrowserContext, world: World) -> None:
    page = context.new_page()
    faults = [fault for name in SIGNED_OUT for fault in _faults(page, reverse(name))]
    assert not faults, "\n".join(faults)
