"""Random histories of a ledger, each step compared with the reference."""

import uuid
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

from django.db import connection, transaction
from django.db.models import Sum
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from accounts.models import User
from billing import services
from billing.exceptions import AccountBlocked, CreditsShort
from billing.models import CreditAccount, CreditEntry, CreditGrant
from billing.selectors import ledger_differences
from tests.billing.reference import ReferenceLedger

amounts = st.integers(min_value=1, max_value=30)


class LedgerMachine(RuleBasedStateMachine):
    """`services` is the module under test: the real one, or a mutant of it."""

    services = services

    def __init__(self):
        super().__init__()
        self.clock = datetime(2026, 1, 1, tzinfo=UTC)
        self.services.timezone = SimpleNamespace(now=lambda: self.clock)
        self.user = User.objects.create_user(f"{uuid.uuid4()}@example.com")
        self.account = self.services.open_account(user=self.user)
        self.reference = ReferenceLedger(now=self.clock)
        free = self.account.grants.get()
        self.reference.grant("free", free.amount, None)
        self.work = {}
        self.done = []
        self.references = []

    @rule(
        source=st.sampled_from(["plan", "pack", "promo", "goodwill"]),
        amount=amounts,
        days=st.none() | st.integers(min_value=1, max_value=5),
    )
    def grant(self, source, amount, days):
        expires_at = self.clock + timedelta(days=days) if days else None
        reference = f"test:{uuid.uuid4()}"
        self.give(source, reference, amount, expires_at)
        self.references.append((source, reference, amount, expires_at))
        self.reference.grant(source, amount, expires_at)

    def give(self, source, reference, amount, expires_at):
        self.services.grant_credits(
            account=self.account, source=source, source_ref=reference, amount=amount, expires_at=expires_at
        )

    @precondition(lambda self: self.references)
    @rule(data=st.data())
    def grant_again(self, data):
        self.give(*data.draw(st.sampled_from(self.references)))

    @rule(amount=st.integers(min_value=1, max_value=200))
    def hold(self, amount):
        work = uuid.uuid4()
        wanted = self.reference.hold((work, 0), amount)
        assert self.try_hold(work, amount) == wanted
        if wanted:
            self.work[work] = [0, amount]

    def try_hold(self, work, amount, slice_number=0):
        try:
            with transaction.atomic():
                held = self.services.hold_credits(
                    user=self.user, work_ref=work, amount=amount, label="work", slice_number=slice_number
                )
            assert held.amount == amount
        except (CreditsShort, AccountBlocked):
            return False
        return True

    @precondition(lambda self: self.work)
    @rule(data=st.data())
    def hold_again(self, data):
        work = data.draw(st.sampled_from(sorted(self.work)))
        slice_number, amount = self.work[work]
        assert self.try_hold(work, amount, slice_number)

    @precondition(lambda self: self.work)
    @rule(data=st.data(), share=st.sampled_from([0, 0.3, 1]))
    def settle(self, data, share):
        work = data.draw(st.sampled_from(sorted(self.work)))
        slice_number, amount = self.work.pop(work)
        charge = round(amount * share)
        self.services.settle_hold(work_ref=work, charge=charge, slice_number=slice_number)
        self.reference.settle((work, slice_number), charge)
        self.done.append((work, slice_number, amount))

    @precondition(lambda self: self.done)
    @rule(data=st.data(), share=st.sampled_from([0, 1]))
    def settle_again(self, data, share):
        work, slice_number, amount = data.draw(st.sampled_from(self.done))
        self.services.settle_hold(work_ref=work, charge=round(amount * share), slice_number=slice_number)

    @precondition(lambda self: self.work)
    @rule(data=st.data())
    def release(self, data):
        work = data.draw(st.sampled_from(sorted(self.work)))
        slice_number, amount = self.work.pop(work)
        assert self.services.release_holds(work_ref=work) == amount
        self.reference.settle((work, slice_number), 0)
        self.done.append((work, slice_number, amount))

    @precondition(lambda self: self.work)
    @rule(data=st.data(), following=amounts)
    def next_slice(self, data, following):
        work = data.draw(st.sampled_from(sorted(self.work)))
        slice_number, amount = self.work[work]
        try:
            with transaction.atomic():
                self.services.capture_slice(
                    user=self.user,
                    work_ref=work,
                    slice_number=slice_number,
                    next_amount=following,
                    label="work",
                )
        except (CreditsShort, AccountBlocked):
            assert self.reference.lapsed_available() < following
            return
        self.reference.settle((work, slice_number), amount)
        assert self.reference.hold((work, slice_number + 1), following)
        self.work[work] = [slice_number + 1, following]

    @rule(days=st.integers(min_value=1, max_value=4))
    def time_passes(self, days):
        self.clock += timedelta(days=days)
        self.reference.now = self.clock

    @rule()
    def expire(self):
        self.services.expire_grants(now=self.clock)
        self.reference.expire()

    @invariant()
    def agrees(self):
        account = CreditAccount.objects.get(pk=self.account.pk)
        reference = self.reference
        assert (account.available, account.held, account.debt) == (
            reference.available,
            reference.held,
            reference.debt,
        )
        assert ledger_differences(account) == {}
        outside = {
            row["bucket"]: row["total"]
            for row in CreditEntry.objects.filter(txn__account=account)
            .values("bucket")
            .annotate(total=Sum("amount"))
        }
        assert outside.get("consumed", 0) == reference.consumed
        assert outside.get("expired", 0) == reference.expired
        by_source = {g.source: 0 for g in reference.grants}
        for grant in reference.grants:
            by_source[grant.source] += grant.free + grant.held
        kept = CreditGrant.objects.filter(account=account).values("source").annotate(total=Sum("remaining"))
        assert {row["source"]: row["total"] for row in kept} == by_source
        with connection.cursor() as cursor:
            # The balance of every transaction is checked at commit; here, now.
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")
