"""The box by hand in a real Chromium: by mouse, by touch and by keys."""

from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from engines.starters.drawings import draw
from tests.browser.conftest import RunningStudio, Watched

PASSWORD = "a box of one's own"


def test_a_box_is_drawn_by_mouse_by_keys_and_by_touch(
    watched: Watched, browser: Browser, studio: RunningStudio, tmp_path: Path
) -> None:
    page = watched.page
    open_editor(page, tmp_path)
    assert numbers(page) == [50, 0, 300]
    watched.look("crop-1-center")

    drag(page, 0.5, 0.5, right=60, down=0)
    left, upper, side = numbers(page)
    assert left > 50
    assert (upper, side) == (0, 300)
    expect(page.get_by_label("By hand")).to_be_checked()
    drag(page, 0.995, 0.995, right=-80, down=-80)
    assert numbers(page)[:2] == [left, 0]
    side = numbers(page)[2]
    assert 64 <= side < 300
    expect(page.locator("#preview")).to_contain_text(f"{side} × {side} pixels become 64 × 64.")

    page.keyboard.press("ArrowDown")
    assert numbers(page) == [left, 6, side]
    page.keyboard.press("Control+ArrowRight")
    assert numbers(page) == [left + 1, 6, side]
    page.keyboard.press("Shift+ArrowLeft")
    assert numbers(page) == [left + 1, 6, side - 6]
    page.keyboard.press("+")
    assert numbers(page) == [left - 2, 3, side]
    watched.look("crop-2-by-hand")

    touch_moves_the_box_and_not_the_page(page, browser, studio)

    page.locator(".stage .box").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".tile .mark")).to_have_text("By hand")
    watched.look("crop-3-kept")


def open_editor(page: Page, folder: Path) -> None:
    """Sign up, make a dataset of one picture of 400 x 300 pixels and open it."""
    picture = folder / "cat.png"
    draw("cats", 0, 400).crop((0, 50, 400, 350)).save(picture)
    page.goto("/account/signup/")
    page.get_by_label("E-mail address").fill("box@example.org")
    for field in page.locator("input[type=password]").all():
        field.fill(PASSWORD)
    page.locator("main form button.primary").click()
    page.wait_for_url("**/")
    page.goto("/datasets/new/")
    page.get_by_label("Name").fill("One cat")
    page.locator("main form button.primary").click()
    page.locator("input[type=file]").set_input_files(picture)
    expect(page.locator(".tiles .tile")).to_have_count(1, timeout=60_000)
    page.get_by_role("link", name="Crop", exact=True).click()
    page.locator(".tiles .tile a").click()
    expect(page.locator(".stage")).to_be_visible()


def numbers(page: Page) -> list[int]:
    return [int(page.locator(f"[name={name}]").input_value()) for name in ("left", "upper", "side")]


def drag(page: Page, across: float, along: float, *, right: int, down: int) -> None:
    """Drag the box at a place in it, as fractions of its sides."""
    box = page.locator(".stage .inside").bounding_box()
    assert box is not None
    x, y = box["x"] + across * box["width"], box["y"] + along * box["height"]
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + right, y + down, steps=3)
    page.mouse.up()


def touch_moves_the_box_and_not_the_page(page: Page, browser: Browser, studio: RunningStudio) -> None:
    context = browser.new_context(
        base_url=studio.address,
        viewport={"width": 390, "height": 700},
        has_touch=True,
        is_mobile=True,
        storage_state=page.context.storage_state(),
    )
    phone = context.new_page()
    phone.goto(page.url)
    before = numbers(phone)
    box = phone.locator(".stage .inside").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    fingers = context.new_cdp_session(phone)
    fingers.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    for step in range(1, 6):
        point = {"x": x + 8 * step, "y": y - 10 * step}
        fingers.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [point]})
    fingers.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    phone.wait_for_function(f"document.querySelector('[name=left]').value > {before[0]}")
    assert phone.evaluate("scrollY") == 0
    assert numbers(phone)[2] == before[2]
    context.close()
