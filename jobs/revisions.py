"""Revisions: how a page knows that it already shows the newest."""

import hashlib
import time
from collections.abc import Iterable


def new_revision(after: int = 0) -> int:
    """Return a number above `after` and above all earlier ones: microseconds since 1970.

    The clock, and not a counter, so that a lost Redis or another worker cannot start again from a lower one.
    It fits PostgreSQL's bigint and stays exact in JavaScript.
    """
    return max(time.time_ns() // 1_000, after + 1)


def combined_revision(parts: Iterable[object]) -> str:
    """Return the revision of a page that shows several works: it changes when any part does."""
    return hashlib.sha256(" ".join(map(str, parts)).encode()).hexdigest()[:16]
