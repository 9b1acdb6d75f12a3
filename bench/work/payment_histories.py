"""Random histories of payments, told late, twice, out of order or not at all; and whether the end is right.

What is right follows from the sandbox's own objects alone, by rules written down here a second time.
"""

import random
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from django.db import transaction
from django.utils import timezone

from accounts.models import User
from bench.work.memory_stripe import Kept, MemoryStripe
from billing import buying, inbox, reconcile, refunds, services
from billing.exceptions import BillingError
from billing.models import (
    Alert,
    CreditAccount,
    CreditGrant,
    Offer,
    Pack,
    Payment,
    Plan,
    RefundRequest,
    SandboxObject,
    StripeEvent,
)
from billing.sandbox_api import checkouts, money, store, subscriptions
from billing.sandbox_api.requests import RequestError
from billing.selectors import ledger_differences
from billing.sync.common import account_behind, new_look
from billing.sync.subscriptions import _apply as apply_subscription

URLS = {"success_url": "http://localhost/done/", "cancel_url": "http://localhost/"}
LOST = 0.2
# Each end is compared with what is right; one in so many also as `reconcile_billing` does it, which takes as
# long as the history itself.
COMPARED_EVERY = 10

# Works in one event that was delivered.
Handler = Callable[[StripeEvent], None]


def right_handler(event: StripeEvent) -> None:
    """What the studio does."""
    inbox.work_in(event)


def trusting_handler(event: StripeEvent) -> None:
    """Naive: believes what an event says of a subscription, as if events came in order."""
    about = event.payload["data"]["object"]
    if event.type.startswith("customer.subscription."):
        account_id = account_behind(about["customer"])
        with transaction.atomic():
            assert account_id is not None
            apply_subscription(account_id, {**about, "schedule": None}, new_look())
            event.state = StripeEvent.State.PROCESSED
            event.save()
        return
    inbox.work_in(event)


def deduplicating_handler(event: StripeEvent) -> None:
    """Naive: does each event once, and takes every event that says "paid" for a sale of its own."""
    about = event.payload["data"]["object"]
    price = None
    if event.type in ("invoice.paid", "invoice.payment_succeeded"):
        price = about["lines"]["data"][0]["pricing"]["price_details"]["price"]
    elif event.type.startswith("checkout.session.") and about["payment_status"] == "paid":
        price = about["line_items"]["data"][0]["price"]["id"]
    offer = Offer.objects.filter(stripe_id=price).first() if price else None
    is_invoice = event.type.startswith("invoice.")
    if offer is None or (offer.kind == Offer.Kind.PLAN) != is_invoice:
        inbox.work_in(event)
        return
    account_id = account_behind(about["customer"])
    assert account_id is not None
    services.grant_credits(
        account=CreditAccount.objects.get(pk=account_id),
        source=CreditGrant.Source.PROMO,
        source_ref=f"event:{event.event_id}",
        amount=offer.credits,
    )
    event.state = StripeEvent.State.PROCESSED
    event.save()


def play(stripe: MemoryStripe, seed: int, handler: Handler) -> list[str]:
    """Play one history and undo it; return what is wrong in its end."""
    with _undone():
        stripe.forget()
        return History(stripe, random.Random(seed), is_compared=seed % COMPARED_EVERY == 0).run(handler)


class History:
    """One person, what they and their bank do, and how the news of it travels."""

    def __init__(self, stripe: MemoryStripe, chance: random.Random, *, is_compared: bool) -> None:
        """Make somebody new."""
        self.stripe = stripe
        self.chance = chance
        self.is_compared = is_compared
        self.user = User.objects.create_user(f"{uuid.uuid4()}@example.org")
        self.staff = User.objects.create_user(f"{uuid.uuid4()}@example.org", is_staff=True)
        self.account = services.open_account(user=self.user)
        self.on_their_way: list[StripeEvent] = []
        self.stored: dict[str, StripeEvent] = {}

    def run(self, handler: Handler) -> list[str]:
        """Let things happen and the news arrive; then look for what was lost, and compare the end."""
        acts = [self.buy_pack, self.buy_pack, self.buy_plan, self.upgrade, self.month_passes, self.spend]
        acts += [self.refund, self.dispute, self.decide, self.refund_fails, self.cancel, self.money_arrives]
        self.buy_plan() if self.chance.random() < 0.5 else self.buy_pack()
        for _step in range(self.chance.randint(3, 9)):
            # What is not possible now nobody could click.
            with suppress(BillingError, RequestError):
                self.chance.choice(acts)()
            self._send_news()
            self._deliver(handler, self.chance.random())
        self._deliver(handler, 1.0)
        self._find_lost(handler)
        return [*self._differences(), *(str(found) for found in self._reconciled(handler))]

    # What happens

    def buy_pack(self) -> None:
        """Buy a pack, sometimes by a slow way of paying or with a card that is declined."""
        attempt = buying.begin_checkout(
            user=self.user, sold=self.chance.choice(list(Pack.objects.all())), return_to="", **URLS
        )
        card = self.chance.choice(["works", "works", "works", "declined"])
        sandbox_pay(attempt.stripe_id or "", card=card, is_slow=self.chance.random() < 0.3)

    def buy_plan(self) -> None:
        """Buy a plan."""
        plan = Plan.objects.get(slug=self.chance.choice(["standard", "pro"]))
        attempt = buying.begin_checkout(user=self.user, sold=plan, return_to="", **URLS)
        sandbox_pay(attempt.stripe_id or "", card="works")

    def upgrade(self) -> None:
        """Go up to the dearest plan."""
        buying.upgrade_plan(user=self.user, plan=Plan.objects.get(slug="unlimited"))

    def month_passes(self) -> None:
        """Let the subscription's month be over; sometimes its card fails."""
        for row in store.find("subscription", status="active"):
            customer = store.get("customer", row.data["customer"])
            customer.secret["card"] = self.chance.choice(["works", "works", "declined"])
            customer.save()
            item = {**subscriptions.item_of(row), "current_period_end": store.now() - 60}
            store.change(row, items=store.listed([item]))
        subscriptions.turn_over()

    def spend(self) -> None:
        """Spend some of what there is."""
        work = uuid.uuid4()
        services.hold_credits(user=self.user, work_ref=work, amount=self.chance.randint(1, 400), label="work")
        services.settle_hold(work_ref=work, charge=1)

    def refund(self) -> None:
        """Have staff refund a part of a payment."""
        payment = self.chance.choice(list(Payment.objects.filter(account=self.account)) or [None])
        if payment is not None and payment.amount_cents:
            cents = self.chance.randint(1, payment.amount_cents)
            refunds.request_refund(
                payment=payment, cents=cents, reason="asked", staff=self.staff, token=uuid.uuid4()
            )

    def refund_fails(self) -> None:
        """Let a refund bounce."""
        for row in store.find("refund", status="succeeded")[:1]:
            money.fail_refund(row.pk)

    def dispute(self) -> None:
        """Dispute a payment at the bank."""
        paid = [row for row in store.find("payment_intent", status="succeeded") if not _disputed(row)]
        if paid:
            money.open_dispute(self.chance.choice(paid).pk, is_inquiry=self.chance.random() < 0.2)

    def decide(self) -> None:
        """Let the bank decide a dispute."""
        for row in store.find("dispute", status="needs_response")[:1]:
            money.close_dispute(row.pk, is_won=self.chance.random() < 0.5)

    def cancel(self) -> None:
        """Cancel, at the end of the month or now."""
        for row in store.find("subscription", status="active")[:1]:
            if self.chance.random() < 0.5:
                subscriptions.cancel_at_end(row.pk, is_canceled=True)
            else:
                subscriptions.end(row)

    def money_arrives(self) -> None:
        """Let a slow payment arrive, or fail."""
        for row in store.find("payment_intent", status="processing")[:1]:
            for session in store.find("checkout.session", payment_intent=row.pk):
                checkouts.arrive(session.pk, is_paid=self.chance.random() < 0.7)

    # How the news travels

    def _send_news(self) -> None:
        """Put each new event on its way one to three times, or lose it."""
        for event in self.stripe.take_events():
            if self.chance.random() >= LOST:
                self.on_their_way += [self._stored(event)] * self.chance.randint(1, 3)
        self.chance.shuffle(self.on_their_way)

    def _stored(self, seen: Kept | SandboxObject) -> StripeEvent:
        event = self.stored.get(seen.pk)
        if event is None:
            event = StripeEvent.objects.create(
                event_id=seen.pk,
                type=seen.data["type"],
                object_id=seen.data["data"]["object"]["id"],
                payload=seen.data,
                state=StripeEvent.State.PENDING,
                happened_at=timezone.now(),
            )
            self.stored[seen.pk] = event
        return event

    def _deliver(self, handler: Handler, share: float) -> None:
        """Let a share of what is on its way arrive, in whatever order that is."""
        for _count in range(round(len(self.on_their_way) * share)):
            self._handle(self.on_their_way.pop(), handler)

    def _find_lost(self, handler: Handler) -> None:
        """List the events, as happens every hour, and work in those that never came."""
        for event in reversed(store.find("event")):
            self._handle(self._stored(event), handler)

    @staticmethod
    def _handle(event: StripeEvent, handler: Handler) -> None:
        """Work an event in unless that is done, as the inbox does."""
        if event.state == StripeEvent.State.PENDING:
            handler(event)
            event.refresh_from_db(fields=["state"])

    def _reconciled(self, handler: Handler) -> list[reconcile.Difference]:
        """Return what a comparison with the objects still finds; a naive handler knows no such thing."""
        return reconcile.find_differences() if self.is_compared and handler is right_handler else []

    # What is right

    def _differences(self) -> list[str]:
        account = CreditAccount.objects.get(pk=self.account.pk)
        wrong = [f"the books: {name} by {by}" for name, by in ledger_differences(account).items()]
        bought = account.grants.exclude(source__in=("free", "goodwill"))
        have = sorted(bought.values_list("source_ref", "amount", "clawed"))
        want = sorted(_grants_wanted())
        if have != want:
            wrong.append(f"grants {have}, not {want}")
        plans = _plans_wanted()
        if account.plan_id not in plans:
            wrong.append(f"plan {account.plan_id}, not {' or '.join(plans)}")
        # Somebody who bought a plan while the news of another was on its way has two: staff are told.
        told = Alert.objects.filter(account=account, kind=Alert.Kind.TWO_PLANS).count()
        if told < len(plans) - 1:
            wrong.append(f"{len(plans)} plans, of which nobody was told")
        paused = any(row.data["status"] == "needs_response" for row in store.find("dispute"))
        if account.billing_hold != paused:
            wrong.append(f"paused {account.billing_hold}, not {paused}")
        return wrong


def sandbox_pay(session: str, **how: object) -> None:
    """Pay in the sandbox without anything being delivered."""
    checkouts.pay(session, **how)  # type: ignore[arg-type]  # drawn by lot


def _grants_wanted() -> Iterator[tuple[str, int, int]]:
    """Yield what each sale is to have granted, and how much of it is taken back."""
    for session in store.find("checkout.session", status="complete", mode="payment"):
        if session.data["payment_status"] == "paid":
            price = session.data["line_items"]["data"][0]["price"]["id"]
            amount = Offer.objects.get(stripe_id=price).credits
            yield f"cs:{session.pk}", amount, _taken_back(session.data["payment_intent"], amount)
    for invoice in store.find("invoice", status="paid"):
        if invoice.data["parent"]:
            price = invoice.data["lines"]["data"][0]["pricing"]["price_details"]["price"]
            amount = Offer.objects.get(stripe_id=price).credits
            paid = store.find("invoice_payment", invoice=invoice.pk)[0].data["payment"]["payment_intent"]
            yield f"inv:{invoice.pk}", amount, _taken_back(paid, amount)


def _taken_back(payment: str, amount: int) -> int:
    paid: int = store.get("payment_intent", payment).data["amount"]
    refunded = sum(
        row.data["amount"]
        for row in store.find("refund", payment_intent=payment)
        if row.data["status"] != "failed"
    )
    withdrawn = -sum(
        move["amount"]
        for row in store.find("dispute", payment_intent=payment)
        for move in row.data["balance_transactions"]
    )
    gone = min(paid, refunded + max(0, withdrawn))
    return int(-(-amount * gone // paid))


def _plans_wanted() -> list[str]:
    """Return the plans that are paid for at once; mostly one."""
    live = [row for row in store.find("subscription") if row.data["status"] in ("active", "past_due")]
    prices = [subscriptions.item_of(row)["price"]["id"] for row in live]
    return [str(Offer.objects.get(stripe_id=price).plan_id) for price in prices] or ["free"]


def _disputed(payment: Kept | SandboxObject) -> bool:
    return (
        bool(store.find("dispute", payment_intent=payment.pk))
        or RefundRequest.objects.filter(
            payment__stripe_id=payment.pk, state=RefundRequest.State.WAITING
        ).exists()
    )


@contextmanager
def _undone() -> Iterator[None]:
    """Undo everything."""
    block = transaction.atomic()
    block._from_testcase = True  # type: ignore[attr-defined]  # noqa: SLF001 -- what is durable nests in it
    block.__enter__()
    try:
        yield
    finally:
        transaction.set_rollback(True)
        block.__exit__(None, None, None)
