"""From a folder of pictures to a trained model and its images, as a person clicks through it."""

import re
import zipfile
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import expect

from engines.starters.drawings import draw
from tests.browser.conftest import Watched

PICTURES = 60
STEPS = 60
SNAPSHOT_EVERY = 20
TRAINING = 240_000  # milliseconds
PASSWORD = "a studio of one's own"


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    """A ZIP of cats, two single cats, and four files that must be refused."""
    archive = tmp_path / "cats.zip"
    with zipfile.ZipFile(archive, "w") as bundle:
        for index in range(PICTURES - 2):
            file = tmp_path / f"cat-{index}.png"
            draw("cats", index, 80).save(file)
            bundle.write(file, file.name)
    singles = []
    for index in (PICTURES - 2, PICTURES - 1):
        single = tmp_path / f"single-{index}.jpg"
        draw("cats", index, 96).save(single, quality=92)
        singles.append(single)
    text = tmp_path / "notes.png"
    text.write_text("This is no picture.")
    black = tmp_path / "black.png"
    Image.new("RGB", (128, 128)).save(black)
    dot = tmp_path / "dot.png"
    Image.new("RGB", (1, 1), "red").save(dot)
    empty = tmp_path / "empty.zip"
    zipfile.ZipFile(empty, "w").close()
    return [archive, *singles, text, black, dot, empty]


def test_the_whole_line(watched: Watched, pictures: list[Path]) -> None:
    sign_up(watched)
    make_dataset(watched, pictures)
    state_rights(watched)
    refuse_bad_steps(watched)
    train(watched)
    stop_and_resume(watched)
    compare(watched)
    make_film(watched)
    save_model(watched)
    make_images(watched)
    look_at_gallery(watched)
    look_around(watched)


def sign_up(watched: Watched) -> None:
    page = watched.page
    page.goto("/")
    watched.look("01-landing")
    page.goto("/account/signup/")
    page.get_by_label("E-mail address").fill("ada@example.org")
    for field in page.locator("input[type=password]").all():
        field.fill(PASSWORD)
    watched.look("02-sign-up")
    page.locator("main form button.primary").click()
    expect(page.get_by_role("link", name="Datasets").first).to_be_visible()
    page.goto("/")
    watched.look("03-home-empty")


def make_dataset(watched: Watched, pictures: list[Path]) -> None:
    page = watched.page
    page.goto("/datasets/new/")
    page.get_by_label("Name").fill("Cats of the house")
    page.get_by_role("button", name="Make the dataset").click()
    page.locator("input[type=file]").set_input_files(pictures)
    upload = page.get_by_role("button", name="Upload")
    if upload.is_visible():
        upload.click()
    expect(page.get_by_text("4 files were refused")).to_be_visible(timeout=60_000)
    for name in ("notes.png", "black.png", "dot.png", "empty.zip"):
        expect(page.locator("#filling").get_by_text(name)).to_be_visible()
    expect(page.locator("#facts").get_by_text(str(PICTURES), exact=True)).to_be_visible(timeout=60_000)
    watched.look("04-dataset")


def state_rights(watched: Watched) -> None:
    """The wizard asks for the rights, and goes on where it was."""
    page = watched.page
    page.goto("/experiments/new/")
    page.get_by_role("radio", name="Cats of the house").check()
    watched.look("05-choose-dataset")
    page.get_by_role("button", name="Go on to the setup").click()
    page.get_by_role("link", name="State the rights, then come back").click()
    page.get_by_label("Where do the pictures come from?").fill("I drew them myself.")
    page.get_by_role("radio", name="Own work").check()
    page.get_by_role("radio", name="No real people are shown").check()
    watched.look("05-rights")
    page.get_by_role("button", name="State this and go on").click()


def refuse_bad_steps(watched: Watched) -> None:
    page = watched.page
    expect(page.get_by_role("radio", name="Cats of the house")).to_be_checked()
    page.get_by_role("button", name="Go on to the setup").click()
    page.get_by_label("Name").fill("House cats")
    page.get_by_label("Steps", exact=True).fill("1000000000")
    # Past the browser's own check, to see the server's.
    page.eval_on_selector("main form", "form => { form.noValidate = true }")
    page.get_by_role("button", name="Go on to the start").click()
    expect(page.get_by_text("Train for at most 25,000 steps.").first).to_be_visible()
    expect(page.get_by_label("Name")).to_have_value("House cats")
    watched.look("05-refused-steps")


def train(watched: Watched) -> None:
    page = watched.page
    page.get_by_label("Steps", exact=True).fill(str(STEPS))
    page.get_by_text("Advanced", exact=True).click()
    page.get_by_label("Steps between snapshots").fill(str(SNAPSHOT_EVERY))
    watched.look("06-setup")
    page.get_by_role("button", name="Back to the dataset").click()
    page.get_by_role("link", name="Setup").click()
    expect(page.get_by_label("Steps", exact=True)).to_have_value(str(STEPS))
    page.get_by_role("button", name="Go on to the start").click()
    expect(page.get_by_role("heading", name="Ready to train")).to_be_visible()
    watched.look("06-start")
    page.get_by_role("button", name="Start training").click()
    expect(page.get_by_role("heading", name="House cats")).to_be_visible()
    expect(page.locator("#status").get_by_text(re.compile(rf"Step \d+ of {STEPS}"))).to_be_visible()
    expect(page.locator("#samples img").first).to_be_visible(timeout=TRAINING)
    watched.look("07-training")


def stop_and_resume(watched: Watched) -> None:
    page = watched.page
    page.get_by_role("button", name="Stop and keep what is done").click()
    expect(page.locator("#status").get_by_text("Stopped", exact=True)).to_be_visible(timeout=TRAINING)
    watched.look("08-stopped")
    page.get_by_role("button", name="Resume").click()
    expect(page.locator("#status").get_by_text("Done", exact=True)).to_be_visible(timeout=TRAINING)
    expect(page.locator("#status").get_by_text(f"Step {STEPS} of {STEPS}")).to_be_visible()
    watched.look("09-done")


def compare(watched: Watched) -> None:
    """Two snapshots side by side: a picture gives its place to the other one's, by mouse and by keyboard."""
    page = watched.page
    page.get_by_role("link", name="Review and save").click()
    page.get_by_role("link", name="Compare", exact=True).click()
    cells = page.locator("[data-side=a] [data-cell]")
    expect(cells).to_have_count(28)
    cells.nth(2).click()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.locator("[data-flipped]")).to_have_count(2)
    watched.look("09-compare")
    cells.nth(5).click(modifiers=["Shift"])
    expect(page.get_by_role("region", name="Picture 6 at both snapshots")).to_be_visible()


def make_film(watched: Watched) -> None:
    page = watched.page
    page.get_by_role("link", name="Video", exact=True).click()
    page.get_by_role("button", name="Make the video").click()
    expect(page.locator("video")).to_be_visible(timeout=60_000)
    length = "film => new Promise(tell => { film.onloadedmetadata = () => tell(film.duration); film.load() })"
    assert page.locator("video").evaluate(length) > 0
    watched.look("09-film")


def save_model(watched: Watched) -> None:
    page = watched.page
    page.get_by_role("link", name="Snapshots").click()
    # The arrow keys go from snapshot to snapshot; the page follows.
    page.locator(".strip input:checked").focus()
    page.wait_for_load_state()  # only then the strip listens
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#chosen figcaption")).not_to_contain_text(f"Step {STEPS}")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#chosen figcaption")).to_contain_text(f"Step {STEPS}")
    watched.look("09-review")
    page.get_by_role("button", name="Save to my models").click()
    page.goto("/models/")
    expect(page.get_by_role("link", name="House cats").first).to_be_visible()
    watched.look("10-my-models")
    page.get_by_role("link", name="House cats").first.click()
    watched.look("11-model")


def make_images(watched: Watched) -> None:
    page = watched.page
    page.goto("/generate/seeds/")
    page.locator(".choice", has_text="House cats").click()
    page.get_by_label("How many images").fill("4")
    expect(page.get_by_role("button", name="Make 4 images")).to_be_visible()
    watched.look("12-generate")
    page.get_by_role("button", name="Make 4 images").click()
    expect(page.locator("main .tile img")).to_have_count(4, timeout=TRAINING)
    watched.look("13-images")


def look_at_gallery(watched: Watched) -> None:
    page = watched.page
    page.goto("/gallery/")
    expect(page.locator("main .tile img")).to_have_count(4)
    watched.look("14-gallery")
    page.locator("main .tile a").first.click()
    watched.look("15-picture")
    with page.expect_download() as download:
        page.get_by_role("link", name="PNG").click()
    with Image.open(download.value.path()) as image:
        assert image.size == (64, 64)
        assert "parameters" in image.info


def look_around(watched: Watched) -> None:
    """Every page on a phone and in the dark: nothing scrolls sideways."""
    page = watched.page
    addresses = {"home": "/", "datasets": "/datasets/", "experiments": "/experiments/", "models": "/models/"}
    addresses |= {"catalog": "/catalog/", "gallery": "/gallery/"}
    addresses |= {"generate": "/generate/", "seeds": "/generate/seeds/"}
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 844})
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            for name, address in addresses.items():
                page.goto(address)
                overflow = page.evaluate("document.documentElement.scrollWidth - innerWidth")
                assert overflow <= 0, f"{address} is {overflow} px too wide at {width} px"
                watched.look(f"20-{name}-{scheme}-{width}")
