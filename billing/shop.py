"""What is for sale, at Stripe as in our rows: products, prices, coupons, and what the portal allows.

Rows are the truth. An offer that was made stays as it was made; a plan or pack that was edited gets a new
one, with a new price at Stripe, and subscriptions that are on the former price stay on it.
"""

import hashlib
import json
from typing import Any

from django.db import transaction

from billing.exceptions import NothingSold
from billing.gateway import Gateway, get_gateway
from billing.models import Coupon, Offer, Pack, Plan, StripeName
from billing.selectors import offered_packs, offered_plans


def sync_shop() -> list[str]:
    """Bring everything that is for sale to Stripe; return what was made or changed. Safe to do twice."""
    before = set(Offer.objects.filter(is_current=True).values_list("pk", flat=True))
    for plan in offered_plans().filter(price_cents__gt=0):
        offer_of(plan)
    for pack in offered_packs().filter(price_cents__gt=0):
        offer_of(pack)
    made = Offer.objects.filter(is_current=True).exclude(pk__in=before)
    news = [f"{offer}: {offer.price_cents} {offer.currency}, {offer.credits} credits" for offer in made]
    news += [f"coupon {coupon}" for coupon in Coupon.objects.all() if sync_coupon(coupon)]
    for plan in offered_plans().filter(price_cents__gt=0):
        portal_configuration(plan)
    return news


def find_sold(kind: str, slug: str) -> Plan | Pack:
    """Return the plan or pack that a form names. Raises NothingSold when it cannot be bought."""
    rows: Any = {"plan": offered_plans(), "pack": offered_packs()}.get(kind)
    sold: Plan | Pack | None = rows.filter(slug=slug, price_cents__gt=0).first() if rows is not None else None
    if sold is None:
        raise NothingSold
    return sold


def offer_of(sold: Plan | Pack) -> Offer:
    """Return the current offer of a plan or pack, made at Stripe first where the row was changed since.

    Asks Stripe only then. Errors: PaymentsAway, PaymentRefused.
    """
    kind = Offer.Kind.PLAN if isinstance(sold, Plan) else Offer.Kind.PACK
    of_it = {kind.value: sold}
    wanted = {"price_cents": sold.price_cents, "currency": sold.currency, "credits": sold.credits}
    current = Offer.objects.filter(is_current=True, **of_it).first()
    if current is not None and all(getattr(current, name) == value for name, value in wanted.items()):
        return current
    gateway = get_gateway()
    count = Offer.objects.filter(**of_it).count()
    price = gateway.create_price(
        product=_product(gateway, kind, sold),
        cents=sold.price_cents,
        currency=sold.currency,
        is_monthly=kind == Offer.Kind.PLAN,
        lookup=f"{kind}:{sold.pk}",
        key=_key(f"price:{kind}:{sold.pk}:{count}", wanted),
    )
    with transaction.atomic():
        # Who comes second waits here, and then finds the offer that the first has made of the same price.
        type(sold).objects.select_for_update(no_key=True).get(pk=sold.pk)
        Offer.objects.filter(is_current=True, **of_it).exclude(stripe_id=price["id"]).update(is_current=False)
        offer, _is_new = Offer.objects.get_or_create(
            stripe_id=price["id"], defaults={"kind": kind, **of_it, **wanted}
        )
    if current is not None:
        gateway.retire_price(current.stripe_id)
    return offer


def sync_coupon(coupon: Coupon) -> bool:
    """Bring a coupon to Stripe; return whether it was made now. Only whether it is active changes later."""
    gateway = get_gateway()
    is_new = not coupon.promotion_id
    if is_new:
        made = gateway.create_coupon(_coupon_params(coupon), key=_key(f"coupon:{coupon.pk}", coupon.code))
        promotion = gateway.create_promotion(
            coupon=made["id"], code=coupon.code, key=_key(f"promotion:{coupon.pk}", coupon.code)
        )
        coupon.stripe_id, coupon.promotion_id = made["id"], promotion["id"]
        coupon.save(update_fields=["stripe_id", "promotion_id"])
    if not (is_new and coupon.is_active):
        gateway.switch_promotion(coupon.promotion_id, is_active=coupon.is_active)
    return is_new


def portal_configuration(plan: Plan) -> str:
    """Return what the portal allows on a plan: to cancel and to go down, at the end. Up is our button."""
    smaller = offered_plans().filter(price_cents__gt=0, price_cents__lt=plan.price_cents)
    offers = [offer_of(other) for other in smaller.order_by("price_cents")]
    features = _portal_features(offers)
    name = f"portal:{plan.pk}"
    known = StripeName.objects.filter(name=name).first()
    if known is not None and known.made_from == features:
        return known.stripe_id
    made = get_gateway().create_portal_configuration(features, key=_key(name, features))
    StripeName.objects.update_or_create(name=name, defaults={"stripe_id": made["id"], "made_from": features})
    return str(made["id"])


def _portal_features(smaller: list[Offer]) -> dict[str, Any]:
    features: dict[str, Any] = {
        "invoice_history": {"enabled": True},
        "payment_method_update": {"enabled": True},
        "customer_update": {"enabled": True, "allowed_updates": ["email", "address", "tax_id"]},
        "subscription_cancel": {"enabled": True, "mode": "at_period_end"},
        "subscription_update": {"enabled": False},
    }
    if smaller:
        products = [
            {
                "product": StripeName.objects.get(name=f"product:plan:{offer.plan_id}").stripe_id,
                "prices": [offer.stripe_id],
            }
            for offer in smaller
        ]
        features["subscription_update"] = {
            "enabled": True,
            "default_allowed_updates": ["price"],
            "products": products,
            "proration_behavior": "none",
            "schedule_at_period_end": {"conditions": [{"type": "decreasing_item_amount"}]},
        }
    return features


def _product(gateway: Gateway, kind: str, sold: Plan | Pack) -> str:
    name = f"product:{kind}:{sold.pk}"
    known = StripeName.objects.filter(name=name).first()
    if known is None:
        made = gateway.create_product(name=sold.name, key=_key(name, sold.name))
        defaults = {"stripe_id": made["id"], "made_from": {"name": sold.name}}
        known, _is_new = StripeName.objects.get_or_create(name=name, defaults=defaults)
    elif known.made_from != {"name": sold.name}:
        gateway.rename_product(known.stripe_id, name=sold.name)
        StripeName.objects.filter(name=name).update(made_from={"name": sold.name})
    return known.stripe_id


def _coupon_params(coupon: Coupon) -> dict[str, Any]:
    params: dict[str, Any] = {
        "name": coupon.code,
        "percent_off": coupon.percent_off,
        "duration": coupon.duration,
    }
    if coupon.months:
        params["duration_in_months"] = coupon.months
    if coupon.most_uses:
        params["max_redemptions"] = coupon.most_uses
    if coupon.ends_at:
        params["redeem_by"] = int(coupon.ends_at.timestamp())
    return params


def _key(name: str, content: Any) -> str:
    """Return an idempotency key: the same thing with the same content is made once."""
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
    return f"{name}:{digest}"
