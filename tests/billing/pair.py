"""The ledger and its reference side by side: every step is done to both, and both must agree after it."""

import uuid
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from django.db import connection, transaction
from django.db.models import Sum

from accounts.models import User
from billing import clawback, ledger
from billing.exceptions import AccountBlocked, CreditsShort, ReferenceReused
from billing.models import CreditAccount, CreditEntry, CreditGrant
from billing.selectors import ledger_differences
from tests.billing.reference import ReferenceLedger


def owe(account, amount, now, ledger=ledger):
    """Take credits back as a refunded payment does: what is not there any more becomes a debt."""
    account = ledger.lock_account(account.pk)
    key = f"test:{uuid.uuid4()}"
    legs = [ledger.Leg(bucket="debt", amount=-amount), ledger.Leg(bucket="clawed", amount=amount)]
    ledger.record(account, key=key, kind="claw", legs=legs)
    ledger.settle_debt(account, cause=key, now=now)


class Pair:
    """Steps name their work by its order; one that makes no sense now (no such work) is skipped."""

    def __init__(self, services):
        self.services = services
        self.clawback = getattr(services, "clawback", clawback)
        self.clock = datetime(2026, 1, 1, tzinfo=UTC)
        services.timezone = SimpleNamespace(now=lambda: self.clock)
        self.user = User.objects.create_user(f"{uuid.uuid4()}@example.com")
        self.account = services.open_account(user=self.user)
        self.reference = ReferenceLedger(now=self.clock)
        self.reference.grant("free", 125, None)
        self.work = []  # [work_ref, slice, amount] of what is held
        self.done = []
        self.grants = []
        self.check()

    def grant(self, source, amount, days):
        expires_at = self.clock + timedelta(days=days) if days else None
        self.grants.append((source, f"test:{uuid.uuid4()}", amount, expires_at))
        self._give(self.grants[-1])
        self.reference.grant(source, amount, expires_at)

    def grant_again(self, index):
        if self.grants:
            self._give(self.grants[index % len(self.grants)])

    def _give(self, grant):
        source, reference, amount, expires_at = grant
        self.services.grant_credits(
            account=self.account, source=source, source_ref=reference, amount=amount, expires_at=expires_at
        )

    def hold(self, amount):
        work = uuid.uuid4()
        wanted = self.reference.hold((work, 0), amount)
        assert self._try(amount, work_ref=work) == wanted
        if wanted:
            self.work.append([work, 0, amount])

    def hold_again(self, index):
        if self.work:
            work, slice_number, amount = self.work[index % len(self.work)]
            held = self._hold(amount, work_ref=work, slice_number=slice_number)
            assert (held.work_ref, held.slice, held.state) == (work, slice_number, "held")

    def hold_otherwise(self, index):
        """Ask for a slice that is held, with another amount: it must not pass for that."""
        if self.work:
            work, slice_number, amount = self.work[index % len(self.work)]
            with pytest.raises(ReferenceReused), transaction.atomic():
                self._hold(amount + 1, work_ref=work, slice_number=slice_number)

    def hold_settled(self, index):
        """Ask for a slice that has ended: it secures nothing any more."""
        if self.done:
            work, slice_number, amount = self.done[index % len(self.done)]
            with pytest.raises(ReferenceReused), transaction.atomic():
                self._hold(amount, work_ref=work, slice_number=slice_number)

    def _hold(self, amount, **which):
        return self.services.hold_credits(user=self.user, amount=amount, label="work", **which)

    def _try(self, amount, **which):
        """Return whether so much could be held; what is said to be missing must be missing."""
        refused = None
        try:
            with transaction.atomic():
                assert self._hold(amount, **which).amount == amount
        except (AccountBlocked, CreditsShort) as error:
            refused = error
        assert isinstance(refused, AccountBlocked) == self.reference.is_blocked
        if isinstance(refused, CreditsShort):
            assert refused.missing == amount - self.reference.lapsed_available()
        return refused is None

    def settle(self, index, share):
        if self.work:
            work, slice_number, amount = self.work.pop(index % len(self.work))
            charge = round(amount * share)
            hold = self.services.settle_hold(work_ref=work, charge=charge, slice_number=slice_number)
            assert (hold.charged, hold.released) == (charge, amount - charge)
            self.reference.settle((work, slice_number), charge)
            self.done.append([work, slice_number, amount])

    def settle_again(self, index, share):
        if self.done:
            work, slice_number, amount = self.done[index % len(self.done)]
            self.services.settle_hold(work_ref=work, charge=round(amount * share), slice_number=slice_number)

    def next_slice(self, index, following):
        """Charge a slice and hold the next; without credit only the charge happens."""
        if not self.work:
            return
        held = self.work[index % len(self.work)]
        work, slice_number, amount = held
        self.services.settle_hold(work_ref=work, charge=amount, slice_number=slice_number)
        self.reference.settle((work, slice_number), amount)
        self.done.append([work, slice_number, amount])
        wanted = self.reference.hold((work, slice_number + 1), following)
        assert self._try(following, work_ref=work, slice_number=slice_number + 1) == wanted
        if wanted:
            held[1:] = [slice_number + 1, following]
        else:
            self.work.remove(held)

    def refund(self, index):
        """Give back everything that one piece of work was charged, or find that it was not."""
        if self.done:
            work = self.done[index % len(self.done)][0]
            charged = self.reference.charged.get(work, 0)
            if not charged or any(work == held for held, _slice, _amount in self.work):
                return
            for _ in range(2):
                self.services.refund_work(work_ref=work, amount=charged, reason="fault", actor=ledger.SYSTEM)
            self.reference.refund(work)

    def owe(self, amount):
        owe(self.account, amount, self.clock, self.services.ledger)
        self.reference.owe(amount)

    def waive(self):
        token = uuid.uuid4()
        for _ in range(2):
            self.services.waive_debt(account=self.account, reason="let off", actor=ledger.SYSTEM, token=token)
        self.reference.waive()

    def claw(self, index, share):
        """Take back so much of a grant in all, twice: as the same news heard again does."""
        grants = list(CreditGrant.objects.filter(account=self.account).order_by("id"))
        index %= len(grants)
        target = round(grants[index].amount * share)
        for _ in range(2):
            grant = CreditGrant.objects.get(pk=grants[index].pk)
            account = ledger.lock_account(self.account.pk)
            self.clawback.set_clawed(account, grant, target=target, reason="", now=self.clock)
        self.reference.claw(index, target)

    def pause(self, is_paused):
        CreditAccount.objects.filter(pk=self.account.pk).update(billing_hold=is_paused)
        self.reference.is_paused = is_paused

    def days_pass(self, days):
        self.clock += timedelta(days=days)
        self.reference.now = self.clock

    def expire(self):
        before = self.reference.expired
        self.reference.expire()
        assert self.services.expire_grants(now=self.clock) == self.reference.expired - before

    def check(self):
        """Compare what is kept with the reference: after every step."""
        account = CreditAccount.objects.get(pk=self.account.pk)
        reference = self.reference
        kept = (account.available, account.held, account.debt)
        assert kept == (reference.available, reference.held, reference.debt)
        grants = CreditGrant.objects.filter(account=account).order_by("id")
        assert [(g.source, g.free, g.held, g.clawed, g.expires_at) for g in grants] == [
            (g.source, g.free, g.held, g.clawed, g.expires_at) for g in reference.grants
        ]

    def check_books(self):
        """Compare what is kept with what was written, and have the database look too: at the end."""
        assert ledger_differences(self.account) == {}
        entries = CreditEntry.objects.filter(txn__account=self.account)
        sums = dict(entries.values_list("bucket").annotate(total=Sum("amount")))
        assert sums.get("consumed", 0) == sum(self.reference.charged.values())
        assert sums.get("expired", 0) == self.reference.expired
        with connection.cursor() as cursor:
            # What the database looks at when a transaction commits; here, now.
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")
