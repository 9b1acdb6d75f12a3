"""A ledger of plain Python that the real one must agree with: no database, no locks, no entries."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

PRIORITY = {"goodwill": 10, "promo": 20, "plan": 30, "free": 40, "pack": 50}


@dataclass
class Grant:
    order: int
    source: str
    expires_at: datetime | None
    free: int
    held: int = 0

    def rank(self):
        return (PRIORITY[self.source], self.expires_at is None, self.expires_at or datetime.min, self.order)


@dataclass
class ReferenceLedger:
    now: datetime
    debt: int = 0
    consumed: int = 0
    expired: int = 0
    grants: list[Grant] = field(default_factory=list)
    holds: dict[tuple, list] = field(default_factory=dict)

    @property
    def available(self):
        return sum(grant.free for grant in self.grants)

    @property
    def held(self):
        return sum(grant.held for grant in self.grants)

    def grant(self, source, amount, expires_at):
        grant = Grant(len(self.grants), source, expires_at, amount)
        self.grants.append(grant)
        settled = min(self.debt, amount)
        grant.free -= settled
        self.debt -= settled

    def hold(self, key, amount):
        """Return whether there was enough; only then something is held."""
        if self.debt or self.lapsed_available() < amount:
            return False
        self.expire()
        parts = []
        for grant in sorted((g for g in self.grants if g.free), key=lambda g: g.rank()):
            part = min(grant.free, amount)
            if part:
                grant.free -= part
                grant.held += part
                amount -= part
                parts.append([grant, part])
        self.holds[key] = parts
        return True

    def settle(self, key, charge):
        late = 0
        for grant, part in self.holds.pop(key):
            taken = min(part, charge)
            charge -= taken
            grant.held -= part
            self.consumed += taken
            if grant.expires_at is not None and grant.expires_at <= self.now:
                late += part - taken
                self.expired += part - taken
            else:
                grant.free += part - taken
        if late:
            self.expire()
            self.grant("goodwill", late, self.now + timedelta(days=7))

    def expire(self):
        for grant in self.grants:
            if grant.expires_at is not None and grant.expires_at <= self.now:
                self.expired += grant.free
                grant.free = 0

    def lapsed_available(self):
        return sum(g.free for g in self.grants if g.expires_at is None or g.expires_at > self.now)
