"""Orders pictures as the form does and waits for them, for `bench.clicks`. Needs a studio of its own."""

import statistics
import time
from pathlib import Path

from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from bench.random_bases import make_starter
from bench.work.figures import ratio
from bench.work.processes import running, show_times, wait_for_end, wait_until
from catalog.models import Licence
from catalog.services import publish_base
from catalog.services.seed import seed_licences
from generation.models import Generation

MOST_MS = 50  # what the studio may add, in the median
STEPS = 2
# Until the form is answered, beside which the worker goes on; until it has the job; all but the model since.
PARTS = ("answered", "claimed", "made ready")
WARM_UP = 3


def measure(data_dir: Path, rounds: int) -> list[str]:
    """Return the last lines: the whole against the model alone, and what is added against what may be."""
    owner = User.objects.create_user("bench@example.org")
    seed_licences()
    licence = Licence.objects.get(slug="cc0-1.0")
    folder = make_starter(data_dir / "starter")
    base = publish_base(owner=owner, folder=folder, name="starter", title="Starter", licence=licence)
    call_command("collectstatic", interactive=False, verbosity=0)
    browser = Client(SERVER_NAME="localhost")
    browser.force_login(owner)
    form = {"base": base.model.address, "prompt": "a cat in the snow", "count": "1", "steps": str(STEPS)}
    url = reverse("generation:generation_create")
    times: dict[str, list[float]] = {name: [] for name in ("click to picture", "the model", "added", *PARTS)}
    with running("manage.py", "worker", "generate"):
        for number in range(-WARM_UP, rounds):
            begun = time.perf_counter()
            clicked = timezone.now()
            response = browser.post(url, form, headers={"HX-Request": "true"})
            answered = (time.perf_counter() - begun) * 1000
            assert response.status_code == 200, (response.status_code, response.content[:2000])
            order = Generation.objects.latest("created_at")
            _wait_for_picture(order)
            whole = (time.perf_counter() - begun) * 1000
            wait_for_end(order.job)
            order.job.refresh_from_db()
            model = order.job.progress["values"]["model_seconds"] * 1000
            assert order.job.started_at is not None
            claimed = (order.job.started_at - clicked).total_seconds() * 1000
            parts = answered, claimed, whole - model - claimed
            if number >= 0:
                for name, value in zip(times, (whole, model, whole - model, *parts), strict=True):
                    times[name].append(value)
    show_times(times, title=f"A picture of 128 px in {STEPS} steps")
    median = {name: statistics.median(values) for name, values in times.items()}
    return [
        ratio("click_to_picture", median["click to picture"], median["the model"], "ms"),
        ratio("click_overhead", median["added"], MOST_MS, "ms, of at most"),
    ]


def _wait_for_picture(order: Generation) -> None:
    """Wait until a picture's row can be read, asking in the cheapest way: the worker needs the processor."""
    with connection.cursor() as cursor:

        def is_there() -> bool:
            cursor.execute(
                "SELECT EXISTS (SELECT FROM generation_picture WHERE generation_id = %s)", [order.pk]
            )
            return bool(cursor.fetchone()[0])

        wait_until(is_there)
