"""Subscriptions: the one that is live decides over its account's plan."""

from django.utils import timezone

from billing import ledger
from billing.gateway import Object, get_gateway
from billing.letters import raise_alert
from billing.models import Alert, CreditAccount, Offer, Subscription
from billing.standing import LIVE_STATUSES, settle_standing
from billing.sync.common import Apply, account_behind, name_of, new_look, nothing_of_ours, when


def look_at_subscription(subscription_id: str) -> Apply:
    """See how a subscription stands."""
    number = new_look()
    seen = get_gateway().subscription(subscription_id)
    account_id = account_behind(name_of(seen["customer"]))
    if account_id is None:
        return nothing_of_ours
    return lambda: _apply(account_id, seen, number)


def _apply(account_id: int, seen: Object, number: int) -> bool:
    account = ledger.lock_account(account_id)
    known = Subscription.objects.filter(stripe_id=seen["id"]).first()
    if known is not None and known.look > number:
        return True
    subscription = known or Subscription(account=account, stripe_id=seen["id"])
    _copy(subscription, seen)
    subscription.look = number
    subscription.is_live = seen["status"] in LIVE_STATUSES and not _has_other(account, subscription)
    subscription.save()
    if seen["status"] in LIVE_STATUSES and not subscription.is_live:
        _alert(account, subscription, Alert.Kind.TWO_PLANS)
    if subscription.is_live and subscription.plan is None:
        _alert(account, subscription, Alert.Kind.UNKNOWN_PRICE)
    settle_standing(account, now=timezone.now())
    return True


def _copy(subscription: Subscription, seen: Object) -> None:
    item = seen["items"]["data"][0]
    price = item["price"]
    offer = Offer.objects.filter(stripe_id=price["id"], kind=Offer.Kind.PLAN).first()
    end = item["current_period_end"]
    ends_at = seen.get("cancel_at") or (end if seen.get("cancel_at_period_end") else None)
    subscription.status = seen["status"]
    subscription.plan = offer.plan if offer else None
    subscription.price_cents = price.get("unit_amount") or 0
    subscription.currency = price["currency"]
    subscription.item_id = item["id"]
    subscription.period_start = when(item["current_period_start"])
    subscription.period_end = when(end)
    subscription.cancel_at = when(ends_at) if ends_at else None
    subscription.schedule_id = name_of(seen.get("schedule"))
    next_offer = _next_offer(seen.get("schedule"), end)
    subscription.next_plan = next_offer.plan if next_offer else None
    subscription.has_pending_update = bool(seen.get("pending_update"))


def _next_offer(schedule: object, period_end: int) -> Offer | None:
    """Return what a subscription becomes when its period ends, if that is planned."""
    if not isinstance(schedule, dict):
        return None
    for phase in schedule.get("phases", []):
        if phase["start_date"] >= period_end:
            return Offer.objects.filter(stripe_id=name_of(phase["items"][0]["price"])).first()
    return None


def _has_other(account: CreditAccount, subscription: Subscription) -> bool:
    return account.subscriptions.filter(is_live=True).exclude(stripe_id=subscription.stripe_id).exists()


def _alert(account: CreditAccount, subscription: Subscription, kind: str) -> None:
    raise_alert(ref=f"{kind}:{subscription.stripe_id}", kind=kind, account=account)
