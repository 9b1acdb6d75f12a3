"""From a Free account over a plan and its free training to an image and a refund, all of it offline."""

import os
import subprocess
import sys

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import ROOT, RunningStudio, Watched

PASSWORD = "a studio of one's own"
STAFF = "till@example.org"
WORKED_IN = 90_000  # milliseconds
BUYER = "grace@example.org"

# A base for everybody, and pictures that somebody has uploaded and said whose they are.
PREPARE = """
import sys
import django
django.setup()
from accounts.models import User
from catalog.models import Licence
from catalog.services.seed import seed_licences
from tests.catalog.bases import publish_tiny_base
from tests.training.conftest import fill, state_rights
from training import services
from training.models import Purpose
seed_licences()
owner = User.objects.get(email=sys.argv[1])
publish_tiny_base(owner, name="words")
licence = Licence.objects.get(slug="own-work")
dataset = services.create_dataset(owner=owner, name="Mug", licence=licence, purpose=Purpose.OBJECT)
state_rights(dataset)
fill(dataset, 6)
"""


@pytest.fixture
def staff(studio: RunningStudio) -> str:
    """Somebody who may refund; return their address."""
    run(studio, "manage.py", "createsuperuser", "--noinput", "--email", STAFF)
    return STAFF


def run(studio: RunningStudio, *arguments: str) -> None:
    """Run Python in the studio's own environment."""
    servers = {"DATABASE_URL", "REDIS_URL"}
    environment = {name: value for name, value in os.environ.items() if name not in servers}
    environment |= {"ATELIER_DATA": str(studio.data_dir), "PYTHONPATH": str(ROOT)}
    environment |= {"DJANGO_SUPERUSER_PASSWORD": PASSWORD}
    subprocess.run([sys.executable, *arguments], cwd=ROOT, env=environment, check=True)


def test_upgrade_free_training_image_and_refund(watched: Watched, studio: RunningStudio, staff: str) -> None:
    sign_up(watched)
    upgrade(watched)
    run(studio, "-c", PREPARE, BUYER)
    train_for_free(watched)
    make_an_image(watched)
    refund(watched, staff)


def sign_up(watched: Watched) -> None:
    page = watched.page
    page.goto("/account/signup/")
    page.get_by_label("E-mail address").fill(BUYER)
    for field in page.locator("input[type=password]").all():
        field.fill(PASSWORD)
    page.locator("main form button.primary").click()
    expect(page.get_by_role("link", name="Datasets").first).to_be_visible()


def upgrade(watched: Watched) -> None:
    """Buy Standard: the first card is declined, the second asks for 3-D Secure."""
    page = watched.page
    page.goto("/billing/")
    expect(page.get_by_text("Sandbox", exact=True)).to_be_visible()
    watched.look("30-billing-free")
    page.get_by_role("link", name="Take Standard").click()
    expect(page.get_by_text("one AI Training free, once per person")).to_be_visible()
    watched.look("31-confirm")
    page.get_by_role("button", name="Go to the payment of 15 USD").click()
    watched.look("32-payment")
    page.get_by_role("radio", name="A card that is declined").check()
    page.get_by_role("button", name="Pay, and come back").click()
    expect(page.get_by_text("The card was declined")).to_be_visible()
    page.get_by_role("radio", name="A card that asks for 3-D Secure").check()
    page.get_by_role("button", name="Pay, and come back").click()
    page.get_by_role("button", name="It is me").click()
    expect(page.get_by_text("Standard is paid")).to_be_visible()
    expect(page.get_by_text("One AI Training is free for you")).to_be_visible()
    watched.look("33-paid")
    page.goto("/billing/")
    expect(page.locator("#balance").get_by_text("750", exact=True)).to_be_visible()
    expect(page.get_by_text("You have one free AI Training")).to_be_visible()
    watched.look("34-billing-standard")
    page.goto("/billing/invoices/")
    expect(page.get_by_text("Paid", exact=True)).to_be_visible()
    watched.look("35-invoices")


def train_for_free(watched: Watched) -> None:
    """Start the one free AI Training: it holds no credits, and there is no second."""
    page = watched.page
    page.goto("/ai-training/")
    page.get_by_role("link", name="Start the first one").click()
    page.get_by_role("link", name="Object").click()
    page.get_by_role("radio", name="Mug").check()
    page.get_by_role("button", name="Go on to the setup").click()
    page.get_by_label("Name").fill("Rex")
    page.get_by_label("What it shows").fill("mug")
    # The tiny one, and not for long: other tests wait for this studio's one train worker.
    page.get_by_role("radio", name="Words").check()
    page.get_by_text("Advanced", exact=True).click()
    page.locator("input[name=steps]").fill("50")
    page.get_by_role("button", name="Go on to the start").click()
    expect(page.get_by_text("the free training comes back to you")).to_be_visible()
    watched.look("36-free-training")
    page.get_by_role("button", name="Start your free training").click()
    expect(page.get_by_role("heading", name="Rex", exact=True)).to_be_visible()
    page.goto("/billing/")
    expect(page.locator("#balance").get_by_text("750", exact=True)).to_be_visible()
    expect(page.get_by_text("You have one free AI Training")).to_be_hidden()


def make_an_image(watched: Watched) -> None:
    """Spend some of it, with whatever model comes with the studio."""
    page = watched.page
    page.goto("/generate/seeds/?count=1")
    button = page.get_by_role("button", name="Make 1 image")
    expect(button).to_be_visible()
    button.click()
    expect(page.locator("main .tile img").first).to_be_visible(timeout=240_000)
    page.goto("/billing/")
    expect(page.locator("#balance").get_by_text("745", exact=True)).to_be_visible(timeout=WORKED_IN)


def refund(watched: Watched, staff: str) -> None:
    """Staff give back what is not spent; the credits of it go, and the page says so."""
    browser = watched.page.context.browser
    assert browser is not None
    context = browser.new_context(base_url=watched.page.url.split("/billing/")[0])
    page = context.new_page()
    page.goto("/account/login/?next=/admin/billing/payment/")
    page.get_by_label("E-mail address").fill(staff)
    page.locator("input[type=password]").fill(PASSWORD)
    page.locator("main form button.primary").click()
    page.goto("/admin/billing/payment/")
    page.locator("input.action-select").first.check()
    page.locator("select[name=action]").select_option("ask_for_refund")
    page.get_by_role("button", name="Go", exact=True).click()
    page.get_by_label("Reason").fill("The picture was black")
    page.get_by_role("button", name="Refund", exact=True).click()
    expect(page.get_by_text("The money is on its way back")).to_be_visible()
    context.close()
    watched.page.goto("/billing/movements/")
    expect(watched.page.get_by_text("Taken back: The picture was black")).to_be_visible()
    watched.look("37-refunded")
    watched.page.goto("/billing/invoices/")
    expect(watched.page.get_by_text("14.88 USD")).to_be_visible()
