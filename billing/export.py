"""The ledger as a table that other programs read."""

import csv
from collections.abc import Iterator

from billing.models import CreditAccount, CreditEntry

_COLUMNS = ("at", "account", "kind", "key", "bucket", "credits", "grant", "actor", "reason")
# A spreadsheet would take what begins with one of these for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class _Echo:
    """A file that hands back what is written to it."""

    def write(self, line: str) -> str:
        return line


def ledger_rows(account: CreditAccount | None = None) -> Iterator[str]:
    """Yield the ledger, or one account's part of it, as lines of CSV, without reading it all into memory.

    The oldest come first.
    """
    writer = csv.writer(_Echo())
    yield str(writer.writerow(_COLUMNS))
    chosen = CreditEntry.objects.filter(txn__account=account) if account else CreditEntry.objects.all()
    entries = chosen.order_by("txn_id", "id").values_list(
        "txn__created_at",
        "txn__account_id",
        "txn__kind",
        "txn__key",
        "bucket",
        "amount",
        "grant__source_ref",
        "txn__actor_name",
        "txn__reason",
    )
    for at, *rest in entries.iterator(chunk_size=2000):
        yield str(writer.writerow([at.isoformat(), *(_plain(value) for value in rest)]))


def _plain(value: object) -> object:
    """Return a text so that a spreadsheet shows it and does not calculate it; numbers stay as they are."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
