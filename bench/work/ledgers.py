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
from billing.reconcile import find_differences
from billing.selectors import balance_of
from billing.services import grant_credits, hold_credits, settle_hold

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
FROM billing_creditgrant, generate_series(1, {work}) WHERE source_ref LIKE 'bench:%' ORDER BY 2;
INSERT INTO billing_holdpart (hold_id, grant_id, amount)
SELECT h.id, g.id, 10 FROM billing_credithold h JOIN billing_creditgrant g ON g.account_id = h.account_id
    AND g.source_ref LIKE 'bench:%';
INSERT INTO billing_credittxn (key, kind, account_id, actor_id, actor_name, reason, created_at)
SELECT k.kind || ':' || h.work_ref || ':0', k.kind, h.account_id, '', 'system', h.label, now()
FROM billing_credithold h CROSS JOIN (VALUES ('hold'), ('capture')) k (kind) ORDER BY 1;
INSERT INTO billing_creditentry (txn_id, bucket, grant_id, amount)
SELECT t.id, b.bucket, g.id, b.sign * 10 FROM billing_credittxn t
JOIN billing_creditgrant g ON g.account_id = t.account_id AND g.source_ref LIKE 'bench:%'
JOIN (VALUES ('hold', 'available', -1), ('hold', 'held', 1),
             ('capture', 'held', -1), ('capture', 'consumed', 1)) b (kind, bucket, sign) ON b.kind = t.kind
"""
# In bulk: no trigger or foreign key looks at the single row (what `reconcile_billing` asks is asked of all of
# them afterwards), and what is not there to be unique is indexed once, at the end. Rows are inserted in the
# order of their random references: one person's lie as far apart as where many work at the same time.
_IN_BULK = """
SET session_replication_role = replica; SET work_mem = '256MB'; SET maintenance_work_mem = '512MB'
"""
_INDEXES = """
SELECT i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid) FROM pg_index i
WHERE NOT i.indisunique AND i.indrelid = ANY(ARRAY[{tables}]::regclass[])
"""
_LARGE_TABLES = ("billing_credithold", "billing_holdpart", "billing_credittxn", "billing_creditentry")


def measure(*, small: int, large: int, rounds: int) -> list[str]:
    """Return one line a figure: the large ledger's p95 beside the small one's, measured in turns."""
    call_command("migrate", verbosity=0)
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
        found = find_differences(ask_stripe=False)
        print(f"{ledger.name}: {CreditEntry.objects.count():,} entries, {len(found)} differences")
    return [_figure(name, *sides) for name, sides in times.items()]


def _figure(name: str, small: list[float], large: list[float]) -> str:
    ours, baseline = (statistics.quantiles(side, n=20)[-1] * 1000 for side in (large, small))
    print(f"{name}: p95 {ours:.1f} ms, with the small ledger {baseline:.1f} ms")
    return f"ledger_{name}_p95 ratio={ours / baseline:.2f} (ours={ours:.2f}, baseline={baseline:.2f}, ms)"


def _connect(database: str) -> None:
    connection.close()
    connection.settings_dict["NAME"] = database
    connection.ensure_connection()


def _fill(entries: int) -> None:
    """Write so many entries, and what belongs to them."""
    began = time.perf_counter()
    work = min(_WORK_EACH, entries // _ENTRIES_EACH)
    tables = ", ".join(f"'{table}'" for table in _LARGE_TABLES)
    with connection.cursor() as cursor:
        cursor.execute(_IN_BULK)
        cursor.execute(_INDEXES.format(tables=tables))
        indexes = cursor.fetchall()
        for name, _definition in indexes:
            cursor.execute(f"DROP INDEX {name}")
        for statement in _FILL.format(people=max(1, entries // _ENTRIES_EACH // work), work=work).split(";"):
            cursor.execute(statement)
            # So that the next one is planned for as many rows as there are now.
            cursor.execute("ANALYZE")
        for _name, definition in indexes:
            cursor.execute(definition)
        cursor.execute("VACUUM ANALYZE")
    _connect(connection.settings_dict["NAME"])
    print(
        f"{CreditEntry.objects.count():,} entries written in {time.perf_counter() - began:.0f} s", flush=True
    )


class _Ledger:
    """A database with so many entries, and somebody in it who has as much behind them as others."""

    def __init__(self, name: str, entries: int) -> None:
        self.name = name
        # A copy of the one that has the tables; nobody may be connected to that meanwhile.
        tables = connection.settings_dict["NAME"]
        _connect("postgres")
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {name} TEMPLATE {tables}")
        self.use()
        _fill(entries)
        account = CreditAccount.objects.order_by("?").select_related("user").first()
        assert account is not None
        assert account.user is not None
        self.user: User = account.user
        reference = f"more:{account.pk}"
        grant_credits(account=account, source="pack", source_ref=reference, amount=1_000_000)
        self.client = Client()
        self.client.force_login(self.user)
        _connect(tables)

    def use(self) -> None:
        """Have everything from here on go to this database."""
        if connection.settings_dict["NAME"] != self.name:
            _connect(self.name)

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

    ACTS: dict[str, Callable[[Any], None]] = {
        "hold_and_capture": hold_and_capture,
        "balance": read_balance,
        "page": show_page,
    }
