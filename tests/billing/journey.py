"""What people do in the sandbox, for tests: buy, pay, and let the inbox be worked in."""

from django.db import transaction

from billing import buying, inbox, sandbox
from billing.models import Checkout, Pack, Plan, SandboxObject
from billing.sandbox_api import checkouts
from billing.services import open_account

URLS = {"success_url": "http://testserver/billing/bought/", "cancel_url": "http://testserver/billing/"}


def begin(user, *, plan=None, pack=None, return_to=""):
    sold = Plan.objects.get(slug=plan) if plan else Pack.objects.get(slug=pack)
    return buying.begin_checkout(user=user, sold=sold, return_to=return_to, **URLS)


def pay(attempt, **how):
    return sandbox.act(lambda: checkouts.pay(attempt.stripe_id, **({"card": "works"} | how)))


def buy(user, *, plan=None, pack=None, **how):
    """Buy and have the news worked in; return the attempt."""
    attempt = begin(user, plan=plan, pack=pack)
    assert pay(attempt, **how) == "succeeded"
    inbox.drain_inbox()
    return Checkout.objects.get(pk=attempt.pk)


def account_of(user):
    account = open_account(user=user)
    account.refresh_from_db()
    return account


def objects(kind, **values):
    return list(SandboxObject.objects.filter(kind=kind, **{f"data__{k}": v for k, v in values.items()}))


def apply(look):
    with transaction.atomic():
        return look()
