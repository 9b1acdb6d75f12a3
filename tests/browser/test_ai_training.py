"""An AI training from the choice of its type to its start, as a person clicks through it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import Browser, Page, expect

from accounts.models import User
from catalog.models import Licence
from catalog.services import publish_version
from catalog.services.seed import seed_licences
from jobs.models import Job
from tests.catalog.folders import make_base_folder
from tests.training.conftest import fill, state_rights
from tests.wallets import set_credits
from training import services
from training.models import AITraining, Purpose

# Before the browser's event loop, beside which Django refuses to ask a database.
pytestmark = pytest.mark.usefixtures("django_db_setup")


@pytest.fixture(scope="module", autouse=True)
def _queries_beside_a_browser() -> Iterator[None]:
    """Playwright keeps an event loop in this thread; nothing of a test runs inside it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        yield


@pytest.fixture
def owner(transactional_db: None, make_user, tmp_path: Path) -> User:
    """Somebody with credits and six pictures of a mug, in a studio with a base."""
    seed_licences()
    licence = Licence.objects.get(slug="own-work")
    publish_version(
        owner=make_user("publisher@example.org"),
        folder=make_base_folder(tmp_path / "base"),
        name="starter",
        title="Starter",
        licence=Licence.objects.get(slug="cc0-1.0"),
        visibility="public",
    )
    owner = make_user()
    set_credits(owner, 1200)
    dataset = services.create_dataset(owner=owner, name="Mug", licence=licence, purpose=Purpose.OBJECT)
    state_rights(dataset)
    fill(dataset, 6)
    return owner


@pytest.fixture
def page(browser: Browser, live_server, owner: User) -> Iterator[Page]:
    client = Client()
    client.force_login(owner)
    session = client.cookies[settings.SESSION_COOKIE_NAME].value
    context = browser.new_context(base_url=live_server.url)
    context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": live_server.url}])
    yield context.new_page()
    context.close()


def test_from_the_type_to_a_started_training(page: Page, owner: User) -> None:
    page.goto("/ai-training/")
    page.get_by_role("link", name="Start the first one").click()
    page.get_by_role("link", name="Object").click()
    page.get_by_role("radio", name="Mug").check()
    page.get_by_role("button", name="Go on to the setup").click()

    page.get_by_label("Name").fill("Rex")
    page.get_by_label("What it shows").fill("mug")
    # The captions follow what is typed, and the base is asked about the keyword.
    expect(page.get_by_text("the customrexmodel mug")).to_be_visible()
    page.get_by_label("Keyword").focus()
    expect(page.get_by_text("Asking the base what it knows by this name")).to_be_visible()
    page.get_by_role("button", name="Go on to the start").click()

    expect(page.get_by_text("customrexmodel mug on a beach")).to_be_visible()
    page.get_by_role("button", name="Start training, 1,000 credits").click()
    expect(page.get_by_role("heading", name="Rex", exact=True)).to_be_visible()
    expect(page.get_by_text("Step 0 of")).to_be_visible()
    training = AITraining.objects.get(owner=owner)
    assert Job.objects.get(ai_training=training).price_held == 1000

    page.get_by_role("link", name="Delete").click()
    expect(page.get_by_role("dialog").get_by_text("Deleting refunds nothing")).to_be_visible()
