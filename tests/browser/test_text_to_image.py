"""Text to Image in a real Chromium: a prompt, a trained model by its thumbnail, previews, remix, a mask."""

import os
import re
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import ROOT, RunningStudio, Watched
from tests.browser.test_accessible import _faults as faults

EMAIL = "words@example.org"
PASSWORD = "words and pictures"

# What an operator and a training would have left: a base for everybody, two trained models of one's own.
PUBLISH = """
import sys
from pathlib import Path
import django
django.setup()
from accounts.models import User
from catalog.services.seed import seed_licences
from tests.catalog.bases import publish_tiny_base, publish_tiny_lora
seed_licences()
owner = User.objects.get(email=sys.argv[1])
base = publish_tiny_base(owner, name="words")
for seed, name in enumerate(("mimochi", "ketapo")):
    publish_tiny_lora(owner, base, Path(sys.argv[2]) / name, name=name, keyword=name, seed=seed)
"""


def test_from_a_prompt_to_a_mask(
    watched: Watched, browser: Browser, studio: RunningStudio, tmp_path: Path
) -> None:
    page = watched.page
    sign_up(page)
    publish(studio, tmp_path)
    page.goto("/generate/")

    # Choosing a trained model, and another one, changes the prompt without a page load.
    page.evaluate("window.here = true")
    page.get_by_label("Prompt", exact=True).fill("in the snow")
    page.get_by_label("Mimochi").check()
    expect(page.get_by_label("Prompt", exact=True)).to_have_value("mimochi cat in the snow")
    page.get_by_label("Ketapo").check()
    expect(page.get_by_label("Prompt", exact=True)).to_have_value("ketapo cat in the snow")
    page.get_by_label("Prompt", exact=True).fill("a cat in the snow")
    expect(page.locator("#hints")).to_contain_text("“ketapo” is not in the prompt")
    page.get_by_role("button", name="Put it in").click()
    expect(page.get_by_label("Prompt", exact=True)).to_have_value("a ketapo cat in the snow")
    expect(page.locator("#hints")).to_be_empty()

    page.get_by_label("Images", exact=True).fill("2")
    expect(page.locator("#make")).to_have_text("Make 2 images, 10 credits")
    page.get_by_text("More settings").click()
    is_led_to_what_is_wrong(page)
    page.get_by_label(re.compile("^Steps")).fill("60")
    page.get_by_label(re.compile("^Seed")).fill("7")
    watched.look("text-1-form")
    page.get_by_label("Prompt", exact=True).press("Control+Enter")
    # The form stays where it is; the result comes below, with a preview in each place before its picture.
    expect(page.locator("#places .tile")).to_have_count(2)
    expect(page.locator("#places .tile.waiting use").first).to_be_attached(timeout=60_000)
    expect(page.locator("#places .tile img")).to_have_count(2, timeout=60_000)
    expect(page).to_have_url(re.compile(r"/generate/[0-9a-f-]{36}/$"))
    assert page.evaluate("window.here")
    watched.look("text-2-result")
    take_over(page)

    page.locator("#places a").first.click()
    expect(page.locator("main")).to_contain_text("Euler")
    watched.look("text-3-picture")
    page.get_by_role("link", name="Remix").click()
    expect(page.get_by_label("Prompt", exact=True)).to_have_value("a ketapo cat in the snow")
    expect(page.get_by_label("Ketapo")).to_be_checked()
    expect(page.get_by_label(re.compile("^Seed"))).to_have_value("7")

    page.go_back()
    page.get_by_role("link", name="Edit inside a mask").click()
    paint(page)
    watched.look("text-4-mask")
    assert accessible_faults(page, browser) == []
    page.get_by_label("Images", exact=True).fill("1")
    page.get_by_label(re.compile("^Steps")).fill("4")
    page.locator("#order-button").click()
    expect(page.locator("#places .tile")).to_have_count(1)
    watched.look("text-5-inside-a-mask")
    expect(page.locator("#places .tile img")).to_have_count(1, timeout=60_000)
    page.locator("#places a").first.click()
    expect(page.locator("main")).to_contain_text("Inside a mask")

    page.get_by_role("button", name=re.compile("Upscale to 256 × 256")).click()
    expect(page.locator("#places .tile img")).to_have_count(1, timeout=60_000)
    page.locator("#places a").first.click()
    expect(page.locator("main")).to_contain_text("Made larger by")
    watched.look("text-6-larger")
    compare_the_newest_two(page)
    watched.look("text-7-compared")
    bring_a_file_with_settings(page, tmp_path)
    watched.look("text-8-settings-of-a-file")
    drop_a_picture_of_the_gallery(page)


def is_led_to_what_is_wrong(page: Page) -> None:
    """What is refused is seen, however far away the button was; the picture chosen meanwhile stays."""
    page.get_by_text("Start from a picture").click()
    page.get_by_label("A picture of yours").set_input_files(ROOT / "static" / "img" / "hero.webp")
    page.get_by_label(re.compile("^Steps")).fill("9999")
    page.locator("#order-button").click()
    expect(page.get_by_label(re.compile("^Steps"))).to_be_focused()
    expect(page.get_by_text("Choose a whole number from 1 to 60.")).to_be_in_viewport()
    expect(page.locator(".easel canvas")).to_be_visible()
    page.get_by_label("A picture of yours").set_input_files([])
    expect(page.locator(".easel canvas")).to_have_count(0)


def take_over(page: Page) -> None:
    """A seed by a press on it, the prompts of earlier orders by keys."""
    page.locator("#places .seed").nth(1).click()
    expect(page.get_by_label(re.compile("^Seed"))).to_have_value("8")
    prompt = page.get_by_label("Prompt", exact=True)
    prompt.fill("a dog at night")
    prompt.press("Alt+ArrowUp")
    expect(prompt).to_have_value("a ketapo cat in the snow")
    prompt.press("Alt+ArrowDown")
    expect(prompt).to_have_value("a dog at night")


def compare_the_newest_two(page: Page) -> None:
    page.goto("/gallery/")
    for box in page.locator(".pick input").all()[:2]:
        box.check(force=True)
    page.get_by_role("button", name="Compare two").click()
    expect(page.get_by_role("heading", name="What differs")).to_be_visible()
    expect(page.locator(".compare img")).to_have_count(2)


def bring_a_file_with_settings(page: Page, folder: Path) -> None:
    """The settings of a downloaded image come back from its file."""
    page.goto("/gallery/")
    page.locator(".tile a").last.click()
    with page.expect_download() as download:
        page.get_by_role("link", name="PNG").click()
    download.value.save_as(folder / "image.png")
    page.goto("/generate/")
    page.get_by_text("More settings").click()
    page.locator("#settings_from").set_input_files(folder / "image.png")
    expect(page.get_by_label("Prompt", exact=True)).to_have_value("a ketapo cat in the snow")
    expect(page.get_by_label(re.compile("^Seed"))).to_have_value(re.compile("^[78]$"))


def drop_a_picture_of_the_gallery(page: Page) -> None:
    """From the orders below, onto the form: it is what the next ones start from, and the prompt stays."""
    page.get_by_label("Prompt", exact=True).fill("a fox")
    page.evaluate(
        """() => {
          const data = new DataTransfer();
          data.setData("text/uri-list", document.querySelector("#history img").src);
          const values = { bubbles: true, cancelable: true, dataTransfer: data };
          document.querySelector("#id_prompt").dispatchEvent(new DragEvent("drop", values));
        }"""
    )
    page.wait_for_url(re.compile("picture="))
    expect(page.locator("#start img")).to_be_attached()
    expect(page.get_by_label("Prompt", exact=True)).to_have_value("a fox")


def sign_up(page: Page) -> None:
    page.goto("/account/signup/")
    page.get_by_label("E-mail address").fill(EMAIL)
    for field in page.locator("input[type=password]").all():
        field.fill(PASSWORD)
    page.locator("main form button.primary").click()
    page.wait_for_url("**/")


def publish(studio: RunningStudio, folder: Path) -> None:
    """In a process with the studio's own environment."""
    servers = {"DATABASE_URL", "REDIS_URL"}
    environment = {name: value for name, value in os.environ.items() if name not in servers}
    environment |= {"ATELIER_DATA": str(studio.data_dir), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", PUBLISH, EMAIL, str(folder)]
    subprocess.run(command, cwd=ROOT, env=environment, check=True)


def paint(page: Page) -> None:
    """Mark by mouse and by keys; what is painted becomes the file that is sent."""
    canvas = page.locator(".easel canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 4, box["y"] + box["height"] / 4)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, steps=4)
    page.mouse.up()
    expect_mask(page, painted=True)
    page.get_by_role("button", name="Undo").click()
    expect_mask(page, painted=False)
    canvas.click()
    expect_mask(page, painted=True)
    page.get_by_role("button", name="Unmark all").click()
    expect_mask(page, painted=False)
    page.get_by_role("button", name="Undo").click()
    expect_mask(page, painted=True)
    page.get_by_role("button", name="Unmark all").click()
    canvas.focus()
    for key in ("ArrowRight", "ArrowDown", "Space", "+", "ArrowLeft", "Space"):
        page.keyboard.press(key)
    expect_mask(page, painted=True)


def accessible_faults(page: Page, browser: Browser) -> list[str]:
    """What axe says of the same address, in a context that nobody watches: axe itself breaks the policy."""
    context = browser.new_context(storage_state=page.context.storage_state())
    found = faults(context.new_page(), page.url)
    context.close()
    return found


def expect_mask(page: Page, *, painted: bool) -> None:
    page.wait_for_function(
        "wanted => (document.querySelector('input[name=mask]').files.length === 1) === wanted", arg=painted
    )
