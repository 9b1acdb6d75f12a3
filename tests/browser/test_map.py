"""The map of a shipped model in a real Chromium: by mouse, wheel, keys and touch, and without JavaScript."""

import re

from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import RunningStudio, Watched

PASSWORD = "a map without an edge"
MAP = "/catalog/atelier/drawn-flowers/map/"
# The first pictures wait until the worker has loaded torch and the model, perhaps on a busy machine.
PATIENCE = 120_000
# So many elements may the map have, however far one goes.
MOST_CELLS = 2 * 240


def test_a_visitor_walks_through_a_map(watched: Watched, browser: Browser, studio: RunningStudio) -> None:
    page = watched.page
    page.goto("/")
    wait_for_pictures(page)
    watched.look("map-1-landing")
    page.get_by_role("link", name="Open the whole map").click()
    page.goto(MAP)
    wait_for_pictures(page)
    watched.look("map-2-map")

    drag(page, -250, -150)
    page.wait_for_url(re.compile(r"x=\d+&y=\d+"))
    page.mouse.wheel(0, -600)
    page.wait_for_url(re.compile(r"z=1"))
    page.get_by_role("link", name="Farther").click()
    expect(page).not_to_have_url(re.compile("z=1"))

    page.get_by_label("Map of Drawn flowers").focus()
    page.keyboard.press("0")
    page.wait_for_url(re.compile(r"/map/$"))
    page.keyboard.press("ArrowRight")
    page.wait_for_url(re.compile(r"\?x=1$"))
    page.keyboard.press("+")
    page.wait_for_url(re.compile(r"x=2&z=1"))
    shown = page.url
    page.reload()
    assert page.url == shown
    wait_for_pictures(page)

    page.get_by_text("Change the map").click()
    page.get_by_label("Truncation").fill("0.4")
    page.wait_for_url(re.compile(r"t=0\.4"))
    page.get_by_label("To the right").select_option(index=2)
    page.wait_for_url(re.compile(r"ax=1&ay=0"))
    wait_for_pictures(page)
    watched.look("map-3-axes")


def test_a_thousand_tiles_and_more_leave_the_page_as_small_as_it_was(watched: Watched) -> None:
    page = watched.page
    page.goto(MAP)
    expect(page.locator(".cell").first).to_be_attached()
    focus(page)
    seen: set[str] = set()
    while len(seen) < 1000:
        page.keyboard.press("ArrowRight")
        seen |= set(page.evaluate(PLACES))
        assert page.locator(".cell").count() <= MOST_CELLS
    assert page.locator("img").count() <= MOST_CELLS + 20
    # Nobody walks that fast: the studio asks for patience, which Chromium calls an error.
    watched.complaints[:] = [complaint for complaint in watched.complaints if "429" not in complaint]


def test_what_is_chosen_is_pinned_and_becomes_the_middle(watched: Watched) -> None:
    page = watched.page
    sign_up(page)
    page.goto(MAP)
    wait_for_pictures(page)
    focus(page)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    lens = page.get_by_label("The chosen picture")
    expect(lens).to_contain_text("Place 0, 1")
    page.keyboard.press("ArrowDown")
    expect(lens).to_contain_text("Place 0, 2")
    page.keyboard.press("p")
    expect(page.locator("#tray li")).to_have_count(1, timeout=PATIENCE)
    watched.look("map-4-pinned")
    lens.get_by_role("button", name="Center here").click()
    page.wait_for_url(re.compile("centre="))
    expect(lens).to_be_hidden()
    wait_for_pictures(page)
    # Once more, within it: what is the middle then are values, not a place within a place.
    focus(page)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.keyboard.press("c")
    page.wait_for_url(re.compile("vector"), timeout=PATIENCE)
    shown = page.url
    page.reload()
    wait_for_pictures(page)
    assert page.url == shown
    expect(page.locator("nav [aria-current=page]")).to_have_text("Explore")


def test_touch_moves_and_pinches_it(browser: Browser, studio: RunningStudio) -> None:
    context = browser.new_context(
        base_url=studio.address, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    )
    page = context.new_page()
    page.goto(MAP)
    expect(page.locator(".cell").first).to_be_attached()
    session = context.new_cdp_session(page)

    def touch(kind: str, *places: tuple[int, int]) -> None:
        points = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(places)]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", (300, 400))
    for x in range(290, 90, -20):
        touch("touchMove", (x, 400))
    touch("touchEnd")
    page.wait_for_url(re.compile(r"x=\d"))
    assert page.evaluate("scrollY") == 0

    touch("touchStart", (180, 400), (210, 400))
    for far in range(20, 140, 20):
        touch("touchMove", (180 - far, 400), (210 + far, 400))
    touch("touchEnd")
    page.wait_for_url(re.compile(r"z=[1-9]"))
    page.screenshot(path="test-results/browser/map-5-phone.png")
    context.close()


def test_without_javascript_it_is_a_grid_of_links(browser: Browser, studio: RunningStudio) -> None:
    context = browser.new_context(base_url=studio.address, java_script_enabled=False)
    page = context.new_page()
    page.goto(MAP)
    expect(page.locator(".paper li")).to_have_count(63)
    page.get_by_role("link", name="To the right").click()
    assert page.url.endswith("?x=8")
    page.get_by_role("link", name="Nearer").click()
    assert page.url.endswith("?x=16&z=1")
    page.get_by_text("Change the map").click()
    page.get_by_role("button", name="Show this map").click()
    assert "t=0.8" in page.url
    context.close()


PLACES = "[...document.querySelectorAll('.cell:not([hidden])')].map((cell) => cell.style.transform)"


def focus(page: Page) -> None:
    page.locator("[data-stage]").focus()


def drag(page: Page, right: int, down: int) -> None:
    box = page.locator("[data-stage]").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + right, y + down, steps=6)
    page.mouse.up()


def wait_for_pictures(page: Page) -> None:
    """Until every tile in view has its picture."""
    expect(page.locator(".cell.made").first).to_be_visible(timeout=PATIENCE)
    expect(page.locator(".cell:not(.made):not([hidden])")).to_have_count(0, timeout=PATIENCE)


def sign_up(page: Page) -> None:
    page.goto("/account/signup/")
    page.get_by_label("E-mail address").fill("map@example.org")
    for field in page.locator("input[type=password]").all():
        field.fill(PASSWORD)
    page.locator("main form button.primary").click()
    page.wait_for_url(re.compile(r":\d+/$"))
