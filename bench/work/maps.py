"""Asks for tiles as a page does and waits for them, for `bench.maps`. Needs a studio of its own."""

import json
import random
import statistics
import time
from typing import Any

from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from accounts.models import User
from bench.work.figures import ratio
from bench.work.processes import running, show_times
from catalog.generators import network_of
from catalog.models import ModelVersion
from catalog.services.seed import seed_catalog
from engines.stylegan.points import LatentMap

MODEL = "drawn-flowers"
COLUMNS, ROWS = 12, 8  # of a screen
POLL_SECONDS = 0.15
MOST_FIRST_MS, MOST_HIT_MS = 1000, 5
WARM_UP = 2
HITS = 300


def measure(rounds: int) -> list[str]:
    """Return the last lines: the first picture, a picture that is made, and a screen in one request."""
    seed_catalog()
    call_command("collectstatic", interactive=False, verbosity=0)
    browser = Client(SERVER_NAME="localhost")
    browser.force_login(User.objects.create_user("bench@example.org"))
    version = ModelVersion.objects.select_related("model__owner").get(model__name=MODEL)
    asked = {"networks": [network_of(version).key], "map": LatentMap().as_json()}
    times: dict[str, list[float]] = {"first picture": [], "whole screen": []}
    with running("manage.py", "worker", "generate"):
        for number in range(-WARM_UP, rounds):
            screen = _screen(1000 * (number + 1 + WARM_UP))
            first, whole = _wait_for(browser, {**asked, "tiles": screen})
            if number >= 0:
                times["first picture"].append(first)
                times["whole screen"].append(whole)
    show_times(times, title=f"{COLUMNS} x {ROWS} tiles of 64 px that nobody has seen, in ms")
    hit = _time_hits(browser, {**asked, "tiles": screen})
    together = statistics.median(
        _time_asking(browser, [{**asked, "tiles": screen}]) for _repeat in range(rounds)
    )
    apart = statistics.median(
        _time_asking(browser, [{**asked, "tiles": [tile]} for tile in screen]) for _repeat in range(3)
    )
    return [
        ratio("map_first_tile", statistics.median(times["first picture"]), MOST_FIRST_MS, "ms, of at most"),
        ratio("map_tile_hit", hit, MOST_HIT_MS, "ms, of at most"),
        ratio("map_screen_of_made_tiles", together, apart, "ms"),
    ]


def _screen(left: int) -> list[list[int]]:
    """The tiles of a screen, the middle first."""
    tiles = [[left + x, y, 0] for y in range(ROWS) for x in range(COLUMNS)]
    return sorted(tiles, key=lambda tile: abs(tile[0] - left - COLUMNS / 2) + abs(tile[1] - ROWS / 2))


def _ask(browser: Client, asked: dict[str, Any]) -> dict[str, Any]:
    response = browser.post(reverse("generation:tiles_ask"), json.dumps(asked), "application/json")
    assert response.status_code == 200, (response.status_code, response.content[:1000])
    answer: dict[str, Any] = response.json()
    assert not answer["problem"], answer
    return answer


def _wait_for(browser: Client, asked: dict[str, Any]) -> tuple[float, float]:
    """Ask until everything is made; return milliseconds until the first picture, and until the last."""
    begun = time.perf_counter()
    first = 0.0
    while True:
        made = len(_ask(browser, asked)["made"])
        passed = (time.perf_counter() - begun) * 1000
        if made and not first:
            first = passed
        if made == len(asked["tiles"]):
            return first, passed
        time.sleep(POLL_SECONDS)


def _time_hits(browser: Client, asked: dict[str, Any]) -> float:
    """Return the median milliseconds of the server for a picture that is made."""
    (network,) = _ask(browser, asked)["networks"]
    seconds = []
    for key in random.Random(0).choices(network["keys"], k=HITS):
        begun = time.perf_counter()
        response = browser.get(f"{network['base']}{key}.webp")
        content = response.getvalue()
        seconds.append(time.perf_counter() - begun)
        assert response.status_code == 200
        assert content[8:12] == b"WEBP"
    return statistics.median(seconds) * 1000


def _time_asking(browser: Client, requests: list[dict[str, Any]]) -> float:
    begun = time.perf_counter()
    for asked in requests:
        _ask(browser, asked)
    return (time.perf_counter() - begun) * 1000
