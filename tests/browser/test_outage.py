"""What an open page does when its tab is hidden, and when the studio's servers go away and come back."""

import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Watched
from tests.config.outage import Outage

BACK = 60_000  # milliseconds
HIDE = "Object.defineProperty(document, 'hidden', {value: %s, configurable: true});"
TELL = "document.dispatchEvent(new Event('visibilitychange'))"


@pytest.fixture
def outage() -> Iterator[Outage]:
    with tempfile.TemporaryDirectory(prefix="atelier-test-") as folder:
        studio = Outage(Path(folder))
        studio.wait_for(lambda: studio.ask("/healthz").status == 200)
        yield studio
        studio.stop()


@pytest.fixture
def page(browser: Browser, outage: Outage) -> Iterator[Page]:
    address = f"http://127.0.0.1:{outage.port}"
    context = browser.new_context(base_url=address, viewport={"width": 1280, "height": 900})
    context.add_cookies([{"name": "sessionid", "value": outage.made["cookie"], "url": address}])
    yield context.new_page()
    context.close()


def test_open_pages_rest_wait_and_come_back(page: Page, outage: Outage) -> None:
    polls: list[str] = []
    page.on("request", lambda request: polls.append(request.url) if "rev=" in request.url else None)
    page.goto(f"/experiments/{outage.made['waiting']}/")

    hidden_tabs_stop_asking(page, polls)
    the_queue_goes_away_and_comes_back(page, outage)
    the_database_goes_away_and_comes_back(page, outage, polls)


def hidden_tabs_stop_asking(page: Page, polls: list[str]) -> None:
    with page.expect_request(lambda request: "rev=" in request.url):
        pass
    page.evaluate(HIDE % "true" + TELL)
    page.wait_for_timeout(1000)
    polls.clear()
    page.wait_for_timeout(5000)
    assert polls == []
    with page.expect_request(lambda request: "rev=" in request.url, timeout=1000):
        page.evaluate(HIDE % "false" + TELL)


def the_queue_goes_away_and_comes_back(page: Page, outage: Outage) -> None:
    outage.kill_redis()
    notice = page.get_by_text("Waiting jobs start when the queue is back")
    expect(notice).to_be_visible(timeout=BACK)
    Watched(page).look("30-queue-away")
    outage.start_redis()
    expect(notice).to_be_hidden(timeout=BACK)


def the_database_goes_away_and_comes_back(page: Page, outage: Outage, polls: list[str]) -> None:
    page.goto("/datasets/new/")
    page.get_by_label("Name").fill("Something that I typed")
    form = page.context.new_page()
    page, form = form, page
    page.on("request", lambda request: polls.append(request.url) if "rev=" in request.url else None)
    page.goto(f"/experiments/{outage.made['running']}/")

    outage.signal_postgres(signal.SIGKILL)
    line = page.locator("#offline")
    expect(line).to_have_text(
        "The studio cannot reach its database. What runs goes on; this page comes back by itself.",
        timeout=BACK,
    )
    expect(page.get_by_role("heading", name="Shells")).to_be_visible()
    Watched(page).look("31-database-away")
    polls.clear()
    page.wait_for_timeout(8000)
    assert len(polls) <= 2  # of four, when all is well
    form.get_by_role("button", name="Make the dataset").click()
    expect(form.get_by_role("heading", name="The studio cannot reach its database")).to_be_visible()
    Watched(form).look("32-database-away-page")

    outage.start_postgres()
    expect(line).to_be_hidden(timeout=BACK)
    form.get_by_role("button", name="Try again").click()
    expect(form.get_by_role("heading", name="Something that I typed")).to_be_visible()
