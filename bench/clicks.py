"""From a click to its picture: what the studio adds to the time that the model itself takes.

python -m bench.clicks [--quick]

The click is a POST of the Text to Image form with all middleware, the picture is there when its row can be
read; between them lie the order, the queue, a resident worker with a base of the starter's size and random
weights, the PNG with its provenance, and the receipt. The baseline is the time inside
`engines.diffusion.generate.generate`, measured by the worker for the same picture.
"""

import argparse
import itertools
import statistics
import time
from pathlib import Path

from bench.work.figures import ratio
from bench.work.studio import scratch_studio

MOST_MS = 50  # what the studio may add, in the median
STEPS = 2
WARM_UP = 3


def measure(data_dir: Path, rounds: int) -> list[str]:
    """Return the last lines: the whole against the model alone, and what is added against what may be."""
    from django.core.management import call_command  # noqa: PLC0415 -- Django is set up only now
    from django.test import Client  # noqa: PLC0415
    from django.urls import reverse  # noqa: PLC0415

    from accounts.models import User  # noqa: PLC0415
    from bench.random_bases import make_starter  # noqa: PLC0415
    from bench.work.processes import running, show_times, wait_for_end, wait_until  # noqa: PLC0415
    from catalog.models import Licence  # noqa: PLC0415
    from catalog.services import publish_base  # noqa: PLC0415
    from catalog.services.seed import seed_licences  # noqa: PLC0415
    from generation.models import Generation, Picture  # noqa: PLC0415

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
    times: dict[str, list[float]] = {"click to picture": [], "the model": [], "added": []}
    with running("manage.py", "worker", "generate"):
        for number in itertools.count(-WARM_UP):
            if number == rounds:
                break
            begun = time.perf_counter()
            response = browser.post(url, form, headers={"HX-Request": "true"})
            assert response.status_code == 200, (response.status_code, response.content[:2000])
            order = Generation.objects.latest("created_at")
            wait_until(Picture.objects.filter(generation=order).exists)
            whole = (time.perf_counter() - begun) * 1000
            wait_for_end(order.job)
            order.job.refresh_from_db()
            model = order.job.progress["values"]["model_seconds"] * 1000
            if number >= 0:
                for name, value in zip(times, (whole, model, whole - model), strict=True):
                    times[name].append(value)
    show_times(times, title=f"A picture of 128 px in {STEPS} steps")
    median = {name: statistics.median(values) for name, values in times.items()}
    return [
        ratio("click_to_picture", median["click to picture"], median["the model"], "ms"),
        ratio("click_overhead", median["added"], MOST_MS, "ms, of at most"),
    ]


def main() -> None:
    """Measure and print, the figures last."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="end within 45 seconds")
    options = parser.parse_args()
    with scratch_studio() as data_dir:
        figures = measure(data_dir, rounds=10 if options.quick else 60)
    print("\n".join(["", *figures]))


if __name__ == "__main__":
    main()
