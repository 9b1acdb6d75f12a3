"""A real studio and a real Chromium for the tests that walk through it."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
SHOTS = ROOT / "test-results" / "browser"
CHROMIUM_FLAGS = ["--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync"]


@dataclass(frozen=True)
class RunningStudio:
    address: str
    data_dir: Path


@dataclass
class Watched:
    """A page with everything that went wrong on it."""

    page: Page
    complaints: list[str] = field(default_factory=list)

    def look(self, name: str) -> None:
        """Keep a screenshot of the whole page, to be looked at."""
        SHOTS.mkdir(parents=True, exist_ok=True)
        # Hiding the caret, the default, would inject a style that the page's policy rightly reports.
        self.page.screenshot(path=SHOTS / f"{name}.png", full_page=True, caret="initial")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def chromium_path() -> str:
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        if os.environ.get("CI"):
            pytest.fail("No Chromium was found: .ci/run installs Debian's.")
        pytest.skip(
            "No browser was found, so the browser tests did not run: install Chromium or set CHROMIUM."
        )
    return path


@pytest.fixture(scope="session")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStudio]:
    """The whole studio as `make run` starts it, with data of its own."""
    data_dir = tmp_path_factory.mktemp("studio")
    port = _free_port()
    environment = {
        name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "REDIS_URL"}
    }
    environment["ATELIER_DATA"] = str(data_dir)
    command = [sys.executable, "manage.py", "studio", "--port", str(port), "--no-main-job"]
    log = (data_dir / "studio.log").open("wb")
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT)
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_until_served(address, process, data_dir / "studio.log")
        yield RunningStudio(address, data_dir)
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(60)
        finally:
            process.kill()
            log.close()


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_served(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/healthz", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    pytest.fail(f"The studio did not start:\n{log.read_text()}")


@pytest.fixture(scope="session")
def browser(chromium_path: str) -> Iterator[Browser]:
    """One Chromium for all; it lives on while tests without it run.

    Playwright keeps an event loop in this thread as long, beside which Django would refuse to ask a database.
    Nothing of a test runs inside that loop.
    """
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        browser = playwright.chromium.launch(
            executable_path=chromium_path, chromium_sandbox=False, args=CHROMIUM_FLAGS
        )
        yield browser
        browser.close()


def _belongs(message: str) -> bool:
    """Whether a page that works may say this.

    A refused form is answered with 422, which Chromium reports as a failed resource. A poll under way
    when the visitor goes on to another page is aborted, which htmx reports as these two events; a
    request that truly failed says `htmx:sendError` or `htmx:responseError`, which does not belong.
    """
    return "422" in message or message.startswith(("htmx:afterRequest", "htmx:sendAbort"))


@pytest.fixture
def watched(browser: Browser, studio: RunningStudio) -> Iterator[Watched]:
    """A fresh visitor on a desktop; the test fails on any console message or foreign request."""
    context = browser.new_context(
        base_url=studio.address, viewport={"width": 1280, "height": 900}, accept_downloads=True
    )
    context.set_default_timeout(30_000)
    watched = Watched(context.new_page())

    def complain(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not _belongs(message.text):
            watched.complaints.append(message.text)

    def inspect(url: str) -> None:
        if not url.startswith((studio.address, "blob:", "data:")):
            watched.complaints.append(f"A request left the studio: {url}")

    watched.page.on("console", complain)
    watched.page.on("pageerror", lambda error: watched.complaints.append(str(error)))
    watched.page.on("request", lambda request: inspect(request.url))
    yield watched
    context.close()
    assert watched.complaints == []
