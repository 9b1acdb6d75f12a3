"""Captions by mouse and keyboard: they come with a ZIP, are written, changed, and go out again."""

import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import expect

from engines.starters.drawings import draw
from tests.browser.conftest import Watched

PASSWORD = "a studio of one's own"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five cats as kohya's scripts keep them; the first two have their captions beside them."""
    archive = tmp_path / "cats.zip"
    with zipfile.ZipFile(archive, "w") as bundle:
        for index in range(5):
            file = tmp_path / f"cat-{index}.png"
            draw("cats", index, 96).save(file)
            bundle.write(file, f"10_cats/{file.name}")
        for index in range(2):
            bundle.writestr(f"10_cats/cat-{index}.txt", f"a cat on a wall, number {index}")
    return archive


def test_captions_from_a_zip_to_a_zip(watched: Watched, folder: Path) -> None:
    page = watched.page
    page.goto("/account/signup/")
    page.get_by_label("E-mail address").fill("mary@example.org")
    for field in page.locator("input[type=password]").all():
        field.fill(PASSWORD)
    page.locator("main form button.primary").click()
    page.goto("/datasets/new/")
    page.get_by_label("Name").fill("Mimo")
    page.locator("input[name=purpose][value=character]").check()
    page.get_by_role("button", name="Make the dataset").click()
    page.locator("input[type=file]").set_input_files(folder)
    expect(page.locator("#pictures .tile")).to_have_count(5, timeout=60_000)

    page.get_by_role("link", name="Captions", exact=True).click()
    expect(page.get_by_label("Caption of cat-1.png")).to_have_value("a cat on a wall, number 1")
    page.get_by_label("Keyword").fill("mimochi")
    page.get_by_label("What it shows").fill("cat")
    page.get_by_role("button", name="Save the words").click()
    expect(page.get_by_label("Caption of cat-1.png")).to_have_value("mimochi cat on a wall, number 1")

    # Enter keeps a caption and goes to the next, Escape takes back, and the keyword comes by itself.
    captions = page.locator("[data-caption]")
    names = [field.get_attribute("id") for field in captions.all()]
    captions.nth(0).fill("asleep")
    captions.nth(0).press("Enter")
    expect(page.locator(f"[id='{names[0]}']")).to_have_value("mimochi cat, asleep")
    expect(captions.nth(1)).to_be_focused()
    before = captions.nth(1).input_value()
    captions.nth(1).fill("never mind")
    captions.nth(1).press("Escape")
    expect(captions.nth(1)).to_have_value(before)
    watched.look("captions-01-table")

    # What a change would do is shown before it is done.
    page.get_by_label("Tick cat-1.png").check()
    expect(page.get_by_role("radio", name="Only those that are ticked")).to_be_checked()
    page.get_by_text("Find and replace").click()
    page.get_by_label("Find", exact=True).fill("wall")
    page.get_by_label("Replace with").fill("roof")
    page.get_by_role("button", name="Show what changes").first.click()
    expect(page.get_by_role("heading", name="1 caption will change")).to_be_visible()
    watched.look("captions-02-change")
    page.get_by_role("button", name="Change 1 caption").click()
    expect(page.get_by_label("Caption of cat-1.png")).to_have_value("mimochi cat on a roof, number 1")

    page.get_by_text("Import captions").click()
    sheet = b'file_name,text\ncat-2.png,"at ""home"", alone"\nnobody.png,x\n'
    page.locator("#caption-files").set_input_files(
        {"name": "captions.csv", "mimeType": "text/csv", "buffer": sheet}
    )
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_text("captions.csv, line 3")).to_be_visible()
    watched.look("captions-03-import")
    page.get_by_role("link", name="See the captions").click()

    with page.expect_download() as download:
        page.get_by_role("link", name="Export as ZIP").click()
    with zipfile.ZipFile(download.value.path()) as archive:
        assert archive.testzip() is None
        assert archive.read("cat-1.txt") == b"mimochi cat on a roof, number 1"
        assert archive.read("cat-2.txt") == b'mimochi cat, at "home", alone'
        assert sum(name.endswith(".png") for name in archive.namelist()) == 5
