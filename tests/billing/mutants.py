"""Small faults, one at a time, put into billing/services.py: (name, a text of the file, what it becomes)."""

MUTANTS = [
    ("grant_twice", "    if existing is not None:\n        return existing\n    grant =", "    grant ="),
    ("grant_without_issue", "Leg(bucket=Bucket.ISSUED, amount=-amount, grant=grant),", ""),
    ("hold_more_than_available", "if account.available < amount:", "if account.available + 1 < amount:"),
    ("hold_less_than_available", "if account.available < amount:", "if account.available <= amount:"),
    ("hold_expired", "    _lapse(account, timezone.now())\n", ""),
    (
        "hold_again_doubles",
        "slice=slice_number).first()\n    if existing is not None:\n        return existing",
        "slice=slice_number).first()",
    ),
    ("hold_not_marked_on_grant", "        grant.held += part\n", ""),
    ("hold_forgets_parts", "        HoldPart.objects.create(hold=hold, grant=grant, amount=part)\n", ""),
    ("settle_twice", "    if hold.state == CreditHold.State.SETTLED:\n        return hold\n", ""),
    ("settle_not_recorded", "    hold.state = CreditHold.State.SETTLED\n", ""),
    ("charge_takes_no_credits", "        grant.remaining -= taken\n", ""),
    ("hold_stays_on_grant", "        grant.held -= part.amount\n", "        grant.held -= taken\n"),
    ("charge_not_split", "        charge -= taken\n", ""),
    (
        "release_charges",
        '_move(Bucket.HELD, Bucket.AVAILABLE, part, grant)]\n    _write(account, f"release',
        '_move(Bucket.HELD, Bucket.CONSUMED, part, grant)]\n    _write(account, f"release',
    ),
    ("late_release_is_lost", "    if late:\n", "    if late > 1000:\n"),
    ("late_release_never_expires", "expires_at=now + GOODWILL_AFTER_LATE_RELEASE", "expires_at=None"),
    ("expire_takes_held", "        amount = grant.free\n", "        amount = grant.remaining\n"),
    (
        "expire_too_early",
        "_spendable(account).filter(expires_at__lte=now)",
        "_spendable(account).filter(expires_at__isnull=False)",
    ),
    ("expire_keeps_credits", "        grant.remaining -= amount\n", ""),
    ("next_slice_not_charged", "charge=delivered.amount, slice_number", "charge=0, slice_number"),
    (
        "next_slice_same_number",
        "slice_number=slice_number + 1, price=price",
        "slice_number=slice_number, price=price",
    ),
    ("release_counts_nothing", "        released += settled.released if settled else 0\n", ""),
    (
        "wrong_priority",
        "priority=CreditGrant.PRIORITY[source]",
        "priority=100 - CreditGrant.PRIORITY[source]",
    ),
    (
        "balance_not_kept",
        "    account.held += sum(leg.amount for leg in legs if leg.bucket == Bucket.HELD)\n",
        "",
    ),
]
