"""Models that stay loaded."""

from jobs.warm import WarmCache


def fill(cache: WarmCache, *keys: str, size: int = 40) -> None:
    for key in keys:
        cache.get(key, lambda key=key: f"model {key}", size)


def test_a_warm_model_is_not_loaded_again():
    cache = WarmCache(100)

    values = [cache.get("a", object, 40), cache.get("a", object, 40)]

    assert values[0] is values[1]
    assert cache.loads == 1


def test_the_least_recently_used_gives_way():
    cache = WarmCache(100)
    fill(cache, "a", "b", "a", "c")

    fill(cache, "a")
    assert cache.loads == 3
    fill(cache, "b")
    assert cache.loads == 4
    assert cache.nbytes == 80


def test_a_size_that_is_known_after_the_load():
    cache = WarmCache(100)

    cache.get("a", lambda: b"x" * 70, len)
    cache.get("b", lambda: b"x" * 70, len)

    assert cache.nbytes == 70


def test_one_that_is_too_large_stays_alone():
    cache = WarmCache(100)
    fill(cache, "a")

    fill(cache, "b", size=500)

    assert cache.nbytes == 500
    fill(cache, "a")
    assert cache.nbytes == 40


def test_drop_and_clear():
    cache = WarmCache(100)
    fill(cache, "a", "b")

    cache.drop("a")
    cache.drop("a")
    assert cache.nbytes == 40
    cache.clear()
    assert cache.nbytes == 0
