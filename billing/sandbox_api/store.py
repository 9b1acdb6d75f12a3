"""Where the sandbox keeps its objects, and the events that it tells the studio about them."""

import json
import secrets
import time
from typing import Any

from django.db import connection

from billing.models import SandboxDelivery, SandboxObject
from billing.sandbox_api.requests import RequestError

Object = dict[str, Any]


def now() -> int:
    """Return the time as Stripe writes it."""
    return int(time.time())


def lock() -> None:
    """Let one request after the other through: nothing here is built for two at once."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('billing sandbox'))")


def insert(kind: str, prefix: str, data: Object, *, secret: Object | None = None) -> SandboxObject:
    """Keep a new object; `prefix` begins its id."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval('billing_sandbox_position')")
        position = cursor.fetchone()[0]
    name = f"{prefix}_sandbox{secrets.token_hex(8)}"
    whole = {"id": name, "object": kind, "created": now(), "livemode": False, **data}
    return SandboxObject.objects.create(
        id=name, kind=kind, data=whole, secret=secret or {}, position=position
    )


def get(kind: str, name: str) -> SandboxObject:
    """Return an object. Raises RequestError, as Stripe does, when there is none."""
    row = SandboxObject.objects.filter(kind=kind, pk=name).first()
    if row is None:
        raise RequestError(f"No such {kind}: '{name}'", status=404, code="resource_missing")
    return row


def shown(row: SandboxObject) -> Object:
    """Return an object as Stripe shows it."""
    data: Object = row.data
    return data


def change(row: SandboxObject, **values: Any) -> SandboxObject:
    """Change some of an object's fields."""
    row.data |= values
    row.save(update_fields=["data", "secret"])
    return row


def find(kind: str, **values: Any) -> list[SandboxObject]:
    """Return the objects of a kind with these values, the newest first."""
    return list(SandboxObject.objects.filter(kind=kind, **{f"data__{k}": v for k, v in values.items()}))


def count(kind: str) -> int:
    """Return how many objects of a kind there are."""
    return SandboxObject.objects.filter(kind=kind).count()


def page(kind: str, params: Object, *names: str) -> Object:
    """Return one page of a list, filtered by those of the named parameters that are given."""
    rows = SandboxObject.objects.filter(kind=kind)
    for name in names:
        if name in params:
            rows = rows.filter(**{f"data__{name}": params[name]})
    since = params.get("created", {}).get("gte")
    if since is not None:
        rows = rows.filter(data__created__gte=int(since))
    if "starting_after" in params:
        rows = rows.filter(position__lt=get(kind, params["starting_after"]).position)
    limit = min(int(params.get("limit", 10)), 100)
    found = list(rows[: limit + 1])
    return listed([row.data for row in found[:limit]], has_more=len(found) > limit)


def listed(items: list[Object], *, has_more: bool = False) -> Object:
    """Return a list in Stripe's shape."""
    return {"object": "list", "data": items, "has_more": has_more, "url": "/v1/sandbox"}


def emit(kind: str, data: Object, *, copies: int = 1, is_held_back: bool = False) -> SandboxObject:
    """Make an event about an object as it is now, and plan its delivery."""
    about = {"type": kind, "data": {"object": json.loads(json.dumps(data))}, "pending_webhooks": 1}
    event = insert("event", "evt", {**about, "api_version": None, "request": None})
    SandboxDelivery.objects.bulk_create(
        [SandboxDelivery(event=event, is_held_back=is_held_back) for _copy in range(copies)]
    )
    return event
