"""Adding pictures: a dropped folder, results at each file, what failed or was cut off and is added again."""

from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from engines.starters.drawings import draw
from tests.browser.conftest import Watched

PASSWORD = "a studio of one's own"
CHECKED = 120_000  # milliseconds
COUNT = 5


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Pictures in a folder and in one inside it, with what a system leaves there."""
    inner = tmp_path / "cats" / "more"
    inner.mkdir(parents=True)
    for number in range(COUNT):
        parent = inner if number % 2 else inner.parent
        draw("cats", number, 96).save(parent / f"cat-{number}.png")
    (inner / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
    (inner / "notes.png").write_text("This is no picture.")
    return inner.parent


@pytest.fixture
def page(watched: Watched) -> Page:
    """The page of an empty dataset."""
    page = watched.page
    page.goto("/account/signup/")
    page.get_by_label("E-mail address").fill("uploads@example.org")
    for field in page.locator("input[type=password]").all():
        field.fill(PASSWORD)
    page.locator("main form button.primary").click()
    expect(page.get_by_role("link", name="Datasets").first).to_be_visible()
    page.goto("/datasets/new/")
    page.get_by_label("Name").fill("Cats to add")
    page.get_by_role("button", name="Make the dataset").click()
    expect(page.get_by_label("Add pictures")).to_be_attached()
    return page


def test_adding_pictures(watched: Watched, page: Page, folder: Path, tmp_path: Path) -> None:
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if request.url.endswith("/add/") else None)

    a_dropped_folder_arrives(watched, folder)
    assert len(sent) == COUNT + 1
    sent.clear()
    an_upload_is_taken_up_again(watched, folder, tmp_path)
    assert len(sent) == 1
    a_failed_file_is_tried_again(watched, tmp_path)
    on_a_phone(watched)


def rows(page: Page, text: str) -> Locator:
    return page.get_by_label("Files being uploaded").get_by_role("listitem").filter(has_text=text)


def a_dropped_folder_arrives(watched: Watched, folder: Path) -> None:
    page = watched.page
    drop(page, folder)
    refused = page.get_by_label("Refused files").get_by_role("listitem")
    expect(refused).to_contain_text("Use JPEG, PNG", timeout=CHECKED)
    expect(rows(page, "notes.png")).to_have_count(0)
    expect(rows(page, "Added")).to_have_count(COUNT, timeout=CHECKED)
    expect(rows(page, ".DS_Store")).to_have_count(0)
    expect(page.locator("#pictures img")).to_have_count(COUNT, timeout=CHECKED)
    expect(page.locator("#picture-count")).to_have_text(str(COUNT))
    watched.look("40-uploads")


def drop(page: Page, folder: Path) -> None:
    """Drop a folder onto the page as a file manager does."""
    session = page.context.new_cdp_session(page)
    for kind in ("dragEnter", "dragOver", "drop"):
        data = {"items": [], "files": [str(folder)], "dragOperationsMask": 1}
        session.send("Input.dispatchDragEvent", {"type": kind, "x": 300, "y": 300, "data": data})
    session.detach()


def an_upload_is_taken_up_again(watched: Watched, folder: Path, tmp_path: Path) -> None:
    """Of files that are added again only the one that is new is sent."""
    page = watched.page
    new = tmp_path / "new.png"
    draw("cats", COUNT, 96).save(new)
    page.reload()
    page.locator("input[type=file]").set_input_files([*sorted(folder.rglob("cat-*.png")), new])
    expect(rows(page, "new.png")).to_contain_text("Added", timeout=CHECKED)
    expect(rows(page, "Already here")).to_have_count(COUNT)


def a_failed_file_is_tried_again(watched: Watched, tmp_path: Path) -> None:
    page = watched.page
    late = tmp_path / "late.png"
    draw("cats", COUNT + 1, 96).save(late)

    def cut_off(route: Route) -> None:
        route.abort()

    page.route("**/add/", cut_off)
    page.locator("input[type=file]").set_input_files(late)
    expect(rows(page, "late.png")).to_contain_text("Check your connection")
    watched.look("41-upload-failed")
    page.unroute("**/add/", cut_off)
    watched.complaints[:] = [line for line in watched.complaints if "ERR_FAILED" not in line]
    page.get_by_role("button", name="Try again").click()
    expect(rows(page, "late.png")).to_contain_text("Added", timeout=CHECKED)


def on_a_phone(watched: Watched) -> None:
    page = watched.page
    page.set_viewport_size({"width": 360, "height": 740})
    watched.look("42-uploads-phone")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
