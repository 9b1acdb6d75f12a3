"""The sandbox's Stripe with its objects in memory.

What it does, and how it is asked, is the studio's own sandbox behind the real client; only where that keeps
its objects, and its care for two requests at once, are replaced. A history of payments asks the database a
third of the questions.
"""

import contextlib
import json
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from billing import gateway, sandbox
from billing.sandbox_api import store
from billing.sandbox_api.requests import RequestError
from billing.sandbox_api.store import Object


@dataclass(eq=False)
class Kept:
    """An object, as its row in the sandbox's table would be, without copies that could be stale."""

    pk: str
    kind: str
    data: Object
    secret: Object
    position: int

    def save(self, **_options: object) -> None:
        """Nothing is to be saved."""

    def refresh_from_db(self, **_options: object) -> None:
        """Nothing is stale."""


class MemoryStripe(sandbox.FakeStripe):
    """Answers the Stripe client's requests from objects in memory, one at a time."""

    def __init__(self) -> None:
        """Begin with nothing."""
        super().__init__()
        self._base: dict[str, Kept] = {}
        self._space, self._number = "", 0
        self.forget()

    def enter_process(self) -> None:
        """Give objects names of this process's own: several that share a database must not meet in them."""
        self._space = f"{os.getpid():08x}"

    def keep(self) -> None:
        """Take what there is now for what every history begins with."""
        self._base = dict(self._by_name)

    def forget(self) -> None:
        """Begin the next history."""
        self._by_name = dict(self._base)
        self._by_kind: dict[str, list[Kept]] = defaultdict(list)
        for row in self._base.values():
            self._by_kind[row.kind].append(row)
        self._answers: dict[str, str] = {}
        self._undelivered: list[Kept] = []

    def take_events(self) -> list[Kept]:
        """Return the events that were not delivered yet, the oldest first, and deliver them."""
        events, self._undelivered = self._undelivered, []
        return events

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        post_data: Any = None,
        *,
        _usage: list[str] | None = None,
    ) -> tuple[str, int, Mapping[str, str]]:
        """Answer one request."""
        address = urlsplit(url)
        text = (address.query if method in ("get", "delete") else post_data) or ""
        key = (headers or {}).get("Idempotency-Key", "")
        status = 200
        try:
            body = self._answers.get(key) or sandbox.answer(method.upper(), address.path, text)
        except RequestError as error:
            status, body = error.status, sandbox.refusal(error)
        else:
            if key:
                self._answers[key] = body
        return body, status, {"Request-Id": "req_memory", "Stripe-Should-Retry": "false"}

    # In place of the functions of `billing.sandbox_api.store`

    def insert(self, kind: str, prefix: str, data: Object, *, secret: Object | None = None) -> Kept:
        """Keep a new object."""
        self._number += 1
        name = f"{prefix}_sandbox{self._space}{self._number:08x}"
        whole = {"id": name, "object": kind, "created": store.now(), "livemode": False, **data}
        row = Kept(pk=name, kind=kind, data=whole, secret=secret or {}, position=self._number)
        self._by_name[name] = row
        self._by_kind[kind].append(row)
        return row

    def get(self, kind: str, name: str) -> Kept:
        """Return an object. Raises RequestError when there is none."""
        row = self._by_name.get(name)
        if row is None or row.kind != kind:
            raise RequestError(f"No such {kind}: '{name}'", status=404, code="resource_missing")
        return row

    def find(self, kind: str, **values: Any) -> list[Kept]:
        """Return the objects of a kind with these values, the newest first."""
        rows = reversed(self._by_kind[kind])
        return [row for row in rows if all(row.data.get(name) == value for name, value in values.items())]

    def count(self, kind: str) -> int:
        """Return how many objects of a kind there are."""
        return len(self._by_kind[kind])

    def page(self, kind: str, params: Object, *names: str) -> Object:
        """Return one page of a list."""
        rows = self.find(kind, **{name: params[name] for name in names if name in params})
        since = int(params.get("created", {}).get("gte", 0))
        before = params.get("starting_after")
        most = self.get(kind, before).position if before else self._number + 1
        rows = [row for row in rows if row.data["created"] >= since and row.position < most]
        limit = min(int(params.get("limit", 10)), 100)
        return store.listed([row.data for row in rows[:limit]], has_more=len(rows) > limit)

    def emit(self, kind: str, data: Object, *, copies: int = 1, is_held_back: bool = False) -> Kept:
        """Make an event about an object as it is now, to be delivered by whoever asks for it."""
        about = {"type": kind, "data": {"object": json.loads(json.dumps(data))}, "pending_webhooks": 1}
        event = self.insert("event", "evt", {**about, "api_version": None, "request": None})
        self._undelivered += [event] * copies
        return event


@contextlib.contextmanager
def in_memory() -> Iterator[MemoryStripe]:
    """Have the gateway ask a Stripe in memory, in the whole process."""
    stripe = MemoryStripe()
    with contextlib.ExitStack() as stack:
        for name in ("insert", "get", "find", "count", "page", "emit"):
            stack.enter_context(_replaced(store, name, getattr(stripe, name)))
        make = sandbox.make_gateway
        stack.enter_context(_replaced(sandbox, "make_gateway", lambda: make(stripe)))
        stack.enter_context(_replaced(sandbox, "deliver", lambda: None))
        gateway.get_gateway.cache_clear()
        stack.callback(gateway.get_gateway.cache_clear)
        yield stripe


@contextlib.contextmanager
def _replaced(module: Any, name: str, value: Any) -> Iterator[None]:
    former = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, former)
