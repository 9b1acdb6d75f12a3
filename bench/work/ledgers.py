"""A small and a large ledger side by side."""

import statistics
import time
import uuid
from collections.abc import Callable
from typing import Any

from django.core.management import call_command
from django.db import connection
from django.test import Client

from accounts.models import User
from billing.models import CreditAccount, CreditEntry
from billing.selectors import balance_of, ledger_differences
from billing.services import grant_credits, hold_credits, open_account, settle_hold

# One piece of work writes a hold, a part, and a hold and a capture transaction of two entries each.
_ENTRIES_EACH = 4
# People of a large studio have this many pieces of work each.
_WORK_EACH = 500

# The rows that so many pieces of work leave behind, 10 credits each, in the shape that the services write.
_FILL = """
INSERT INTO accounts_user (id, password, is_superuser, email, handle, display_name, mail_when_ended, is_staff,
                           is_active, date_joined)
SELECT gen_random_uuid(), '', false, 'p' || n || '@example.org', 'p' || n, '', true, false, true, now()
FROM generate_series(1, {people}) n;
INSERT INTO billing_creditaccount (user_id, plan_id, available, held, debt, billing_hold, created_at)
SELECT id, 'free', 0, 0, 0, false, now() FROM accounts_user WHERE email LIKE 'p%@example.org';
INSERT INTO billing_creditgrant (account_id, source, source_ref, amount, remaining, held, clawed, priority,
                                 created_at)
SELECT id, 'pack', 'bench:' || id, {work} * 10, 0, 0, 0, 50, now() FROM billing_creditaccount;
INSERT INTO billing_credittxn (key, kind, account_id, actor_id, actor_name, reason, created_at)
SELECT 'grant:' || source_ref, 'grant', account_id, '', 'system', '', now() FROM billing_creditgrant
WHERE source_ref LIKE 'bench:%';
INSERT INTO billing_creditentry (txn_id, bucket, grant_id, amount)
SELECT t.id, b.bucket, g.id, b.sign * g.amount FROM billing_creditgrant g
JOIN billing_credittxn t ON t.key = 'grant:' || g.source_ref
CROSS JOIN (VALUES ('issued', -1), ('available', 1)) b (bucket, sign) WHERE g.source_ref LIKE 'bench:%';
INSERT INTO billing_credithold (account_id, work_ref, slice, label, amount, charged, state, created_at,
                                settled_at)
SELECT account_id, gen_random_uuid(), 0, '2 images', 10, 10, 'settled', now(), now()
FROM billing_creditgrant, generate_series(1, {work}) WHERE source_ref LIKE 'bench:%';
INSERT INTO billing_holdpart (hold_id, grant_id, amount)
SELECT h.id, g.id, 10 FROM billing_credithold h JOIN billing_creditgrant g ON g.account_id = h.account_id
    AND g.source_ref LIKE 'bench:%';
INSERT INTO billing_credittxn (key, kind, account_id, actor_id, actor_name, reason, created_at)
SELECT k.kind || ':' || h.work_ref || ':0', k.kind, h.account_id, '', 'system', h.label, now()
FROM billing_credithold h CROSS JOIN (VALUES ('hold'), ('capture')) k (kind);
INSERT INTO billing_creditentry (txn_id, bucket, grant_id, amount)
SELECT t.id, b.bucket, g.id, b.sign * 10 FROM billing_credittxn t
JOIN billing_creditgrant g ON g.account_id = t.account_id AND g.source_ref LIKE 'bench:%'
JOIN (VALUES ('hold', 'available', -1), ('hold', 'held', 1),
             ('capture', 'held', -1), ('capture', 'consumed', 1)) b (kind, bucket, sign) ON b.kind = t.kind;
"""
# Each of them looks at every row that is inserted.
_TRIGGERS = ("billing_credithold", "billing_creditentry", "billing_credittxn")


def measure(*, small: int, large: int, rounds: int) -> list[str]:
    """Return one line a figure: the large ledger's p95 beside the small one's, measured in turns."""
    ledgers = [_Ledger("ledger_small", small), _Ledger("ledger_large", large)]
    times: dict[str, list[list[float]]] = {name: [[], []] for name in _Ledger.ACTS}
    for number in range(rounds):
        for side, ledger in enumerate(ledgers):
            ledger.use()
            for name, act in _Ledger.ACTS.items():
                began = time.perf_counter()
                act(ledger)
                if number >= rounds // 10:  # the first ones find cold caches
                    times[name][side].append(time.perf_counter() - began)
    for ledger in ledgers:
        ledger.use()
        print(f"{ledger.name}: {CreditEntry.objects.count():,} entries, differences {ledger.differences()}")
    return [_figure(name, *sides) for name, sides in times.items()]


def _figure(name: str, small: list[float], large: list[float]) -> str:
    ours, baseline = (statistics.quantiles(side, n=20)[-1] * 1000 for side in (large, small))
    print(f"{name}: p95 {ours:.1f} ms, with the small ledger {baseline:.1f} ms")
    return f"ledger_{name}_p95 ratio={ours / baseline:.2f} (ours={ours:.2f}, baseline={baseline:.2f}, ms)"


class _Ledger:
    """A database with so many entries, and somebody in it who has as much behind them as others."""

    def __init__(self, name: str, entries: int) -> None:
        self.name = name
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {name}")
        self.use()
        call_command("migrate", verbosity=0)
        work = min(_WORK_EACH, entries // _ENTRIES_EACH)
        with connection.cursor() as cursor:
            for table in _TRIGGERS:
                cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            cursor.execute(_FILL.format(people=max(1, entries // _ENTRIES_EACH // work), work=work))
            for table in _TRIGGERS:
                cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
            cursor.execute("ANALYZE")
        account = CreditAccount.objects.order_by("?").select_related("user").first()
        assert account is not None
        assert account.user is not None
        self.user: User = account.user
        reference = f"more:{account.pk}"
        grant_credits(account=account, source="pack", source_ref=reference, amount=1_000_000)
        self.client = Client()
        self.client.force_login(self.user)

    def use(self) -> None:
        """Have everything from here on go to this database."""
        if connection.settings_dict["NAME"] != self.name:
            connection.close()
            connection.settings_dict["NAME"] = self.name
            connection.ensure_connection()

    def hold_and_capture(self) -> None:
        """Hold the credits of a piece of work and charge them."""
        work = uuid.uuid4()
        hold_credits(user=self.user, work_ref=work, amount=10, label="2 images")
        settle_hold(work_ref=work, charge=10)

    def read_balance(self) -> None:
        """Read what somebody has."""
        balance_of(self.user)

    def show_page(self) -> None:
        """Show the billing page."""
        assert self.client.get("/billing/").status_code == 200

    def differences(self) -> dict[str, int]:
        """Return how far the measured account's books are apart."""
        return ledger_differences(open_account(user=self.user))

    ACTS: dict[str, Callable[[Any], None]] = {
        "hold_and_capture": hold_and_capture,
        "balance": read_balance,
        "page": show_page,
    }
