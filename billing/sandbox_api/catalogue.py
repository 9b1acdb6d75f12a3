"""Products, prices, coupons, customers and the portal's settings: what is made once and read often."""

from typing import Any

from billing.models import SandboxObject
from billing.sandbox_api import store
from billing.sandbox_api.pages import page_url
from billing.sandbox_api.requests import RequestError
from billing.sandbox_api.store import Object


def create_customer(params: Object) -> Object:
    """Make a customer, whose card works until somebody says otherwise."""
    data = {"email": params.get("email"), "metadata": params.get("metadata", {})}
    return store.shown(store.insert("customer", "cus", data, secret={"card": "works"}))


def create_product(params: Object) -> Object:
    """Make a product."""
    return store.shown(store.insert("product", "prod", {"name": params["name"], "active": True}))


def create_price(params: Object) -> Object:
    """Make a price; its lookup key leaves the price that had it."""
    store.get("product", params["product"])
    lookup = params.get("lookup_key")
    if lookup and params.get("transfer_lookup_key") == "true":
        for former in store.find("price", lookup_key=lookup):
            store.change(former, lookup_key=None)
    recurring = params.get("recurring")
    data = {
        "product": params["product"],
        "unit_amount": int(params["unit_amount"]),
        "currency": params["currency"],
        "lookup_key": lookup,
        "active": True,
        "recurring": recurring and {"interval": recurring["interval"], "interval_count": 1},
        "type": "recurring" if recurring else "one_time",
        "metadata": params.get("metadata", {}),
    }
    return store.shown(store.insert("price", "price", data))


def update(kind: str, name: str, params: Object) -> Object:
    """Change a product, a price or a promotion code."""
    values = {key: value == "true" if key == "active" else value for key, value in params.items()}
    return store.shown(store.change(store.get(kind, name), **values))


def create_coupon(params: Object) -> Object:
    """Make a coupon."""
    data = {
        "name": params.get("name"),
        "percent_off": float(params["percent_off"]),
        "duration": params.get("duration", "once"),
        "duration_in_months": _number(params.get("duration_in_months")),
        "max_redemptions": _number(params.get("max_redemptions")),
        "redeem_by": _number(params.get("redeem_by")),
        "times_redeemed": 0,
        "valid": True,
    }
    return store.shown(store.insert("coupon", "coupon", data))


def create_promotion(params: Object) -> Object:
    """Make the code by which a coupon is used."""
    coupon = store.get("coupon", params["promotion"]["coupon"])
    promotion = {"type": "coupon", "coupon": coupon.pk}
    data = {"promotion": promotion, "code": params["code"], "active": True, "times_redeemed": 0}
    return store.shown(store.insert("promotion_code", "promo", data))


def redeemable(code: str) -> SandboxObject | None:
    """Return the coupon behind a code that can be used now."""
    for promotion in store.find("promotion_code", code=code, active=True):
        coupon = store.get("coupon", promotion.data["promotion"]["coupon"])
        most, until = coupon.data["max_redemptions"], coupon.data["redeem_by"]
        is_used_up = most is not None and coupon.data["times_redeemed"] >= most
        if not is_used_up and (until is None or until > store.now()):
            return coupon
    return None


def create_configuration(params: Object) -> Object:
    """Make what the portal allows."""
    return store.shown(store.insert("billing_portal.configuration", "bpc", {"features": params["features"]}))


def create_portal(params: Object) -> Object:
    """Open the portal for a customer."""
    store.get("customer", params["customer"])
    if "configuration" in params:
        store.get("billing_portal.configuration", params["configuration"])
    data: dict[str, Any] = {**params, "url": ""}
    session = store.insert("billing_portal.session", "bps", data)
    return store.shown(store.change(session, url=page_url("sandbox_portal", session=session.pk)))


def price(name: str) -> Object:
    """Return a price that can be bought. Raises RequestError for one that was retired."""
    found = store.shown(store.get("price", name))
    if not found["active"]:
        raise RequestError(f"The price specified is inactive: {name}")
    return found


def _number(text: str | None) -> int | None:
    return None if text is None else int(text)
