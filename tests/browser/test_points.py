"""Points of a shipped model in a real Chromium: pinned, moved, mixed, shared, and found for a photograph."""

import io
import re

from PIL import Image, ImageDraw
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import RunningStudio, Watched
from tests.browser.test_map import PATIENCE, focus, wait_for_pictures

PASSWORD = "a place that one comes back to"
MODEL = "/catalog/atelier/emoji-people/"


def test_a_point_is_moved_mixed_shared_and_opened(
    watched: Watched, browser: Browser, studio: RunningStudio
) -> None:
    page = watched.page
    sign_up(page)
    page.goto(f"{MODEL}map/")
    wait_for_pictures(page)
    focus(page)
    for place in range(2):
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        page.keyboard.press("p")
        expect(page.locator("#tray li")).to_have_count(place + 1)
    page.locator("#tray li a").first.click()
    expect(page.locator("#shape .waiting")).to_have_count(0, timeout=PATIENCE)

    before = shown(page)
    page.get_by_label("Direction 1").last.fill("2.5")
    page.wait_for_url(re.compile(r"move_0=2\.5"))
    expect(page.locator("#shown-picture")).not_to_have_attribute("src", before, timeout=PATIENCE)
    page.locator("[name=mix]").nth(1).check()
    page.get_by_label("Fine: colours and texture").last.fill("1")
    page.wait_for_url(re.compile("fine=1"))
    watched.look("point-1-mixed")
    page.get_by_role("button", name="Pin this").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Mix of two, moved")

    page.get_by_role("button", name="Share it").click()
    address = page.get_by_label("Whoever has this address may open it").input_value()
    visitor = browser.new_context(base_url=studio.address)
    guest = visitor.new_page()
    guest.goto(address)
    expect(guest.locator("#shown .waiting")).to_have_count(0, timeout=PATIENCE)
    expect(guest.get_by_text("A point that")).to_be_visible()
    visitor.close()


def test_a_photograph_is_found(watched: Watched) -> None:
    page = watched.page
    sign_up(page, "photograph@example.org")
    page.goto(f"{MODEL}project/")
    page.locator("[data-photograph]").set_input_files(
        {"name": "face.png", "mimeType": "image/png", "buffer": face()}
    )
    expect(page.get_by_label("Side")).to_have_value("200")
    page.get_by_label("Box", exact=True).focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_label("Left")).not_to_have_value("50")
    page.get_by_label("Steps").last.fill("50")
    page.get_by_role("button", name=re.compile("Find it")).click()
    expect(page.get_by_text("The model, after 50 steps")).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_role("link", name="Open the point")).to_be_visible(timeout=PATIENCE)
    expect(page.locator("#figures .meter")).to_have_count(4)
    watched.look("projection-1-found")


def shown(page: Page) -> str:
    return page.locator("#shown-picture").get_attribute("src") or ""


def face() -> bytes:
    image = Image.new("RGB", (300, 200), (90, 140, 200))
    ImageDraw.Draw(image).ellipse((90, 30, 210, 180), fill=(240, 200, 160))
    encoded = io.BytesIO()
    image.save(encoded, format="PNG")
    return encoded.getvalue()


def sign_up(page: Page, email: str = "point@example.org") -> None:
    page.goto("/account/signup/")
    page.get_by_label("E-mail address").fill(email)
    for field in page.locator("input[type=password]").all():
        field.fill(PASSWORD)
    page.locator("main form button.primary").click()
    page.wait_for_url("**/")
