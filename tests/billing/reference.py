"""A ledger of plain Python that the real one must agree with: no database, no locks, no entries."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

PRIORITY = {"goodwill": 10, "promo": 20, "plan": 30, "free": 40, "pack": 50}
NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass
class Grant:
    order: int
    source: str
    expires_at: datetime | None
    free: int
    held: int = 0
    clawed: int = 0
    owed: int = 0
    amount: int = 0

    def __post_init__(self):
        self.amount = self.free

    def rank(self):
        return (PRIORITY[self.source], self.expires_at or NEVER, self.order)


@dataclass
class ReferenceLedger:
    now: datetime
    debt: int = 0
    expired: int = 0
    let_off: int = 0
    is_paused: bool = False
    charged: Counter = field(default_factory=Counter)
    refunded: set = field(default_factory=set)
    grants: list[Grant] = field(default_factory=list)
    holds: dict[tuple, list] = field(default_factory=dict)

    @property
    def available(self):
        return sum(grant.free for grant in self.grants)

    @property
    def held(self):
        return sum(grant.held for grant in self.grants)

    @property
    def is_blocked(self):
        return self.debt > 0 or self.is_paused

    def grant(self, source, amount, expires_at):
        self.grants.append(Grant(len(self.grants), source, expires_at, amount))
        self.pay_debt()

    def owe(self, amount):
        self.debt += amount
        self.pay_debt()

    def waive(self):
        self.let_off += self.debt
        self.debt = 0

    def claw(self, index, target):
        """Bring what is taken back of a grant to so many credits."""
        grant = self.grants[index]
        change, grant.clawed = target - grant.clawed, target
        if change > 0:
            free = min(change, grant.free)
            grant.free -= free
            grant.owed += change - free
            self.owe(change - free)
            return
        back = -change
        owed = min(back, self.debt)
        past = max(0, min(back, grant.owed) - owed)
        waived = min(past, self.let_off)
        grant.owed -= owed + past
        self.debt -= owed
        self.let_off -= waived
        back -= owed + past
        is_past = grant.expires_at is not None and grant.expires_at <= self.now
        if not is_past:
            grant.free += back
        if past - waived:
            self.grant("goodwill", past - waived, None)
        if is_past and back:
            self.grant("goodwill", back, self.now + timedelta(days=7))

    def pay_debt(self):
        if self.debt:
            self.expire()
            self.debt -= sum(part for _, part in self.take(self.debt))

    def take(self, amount):
        """Take up to so many credits out of what is free, in the order of consumption."""
        parts = []
        for grant in sorted(self.grants, key=Grant.rank):
            part = min(grant.free, amount)
            if part:
                grant.free -= part
                amount -= part
                parts.append([grant, part])
        return parts

    def hold(self, key, amount):
        """Return whether there was enough; only then something is held."""
        if self.is_blocked or self.lapsed_available() < amount:
            return False
        self.expire()
        self.holds[key] = self.take(amount)
        for grant, part in self.holds[key]:
            grant.held += part
        return True

    def settle(self, key, charge):
        self.charged[key[0]] += charge
        late = 0
        for grant, part in self.holds.pop(key):
            taken = min(part, charge)
            charge -= taken
            grant.held -= part
            grant.free += part - taken
            if grant.expires_at is not None and grant.expires_at <= self.now:
                late += part - taken
        if late:
            self.expire()
            self.grant("goodwill", late, self.now + timedelta(days=7))
        self.pay_debt()

    def refund(self, work):
        if work not in self.refunded:
            self.refunded.add(work)
            self.grant("goodwill", self.charged[work], None)

    def expire(self):
        for grant in self.grants:
            if grant.expires_at is not None and grant.expires_at <= self.now:
                self.expired += grant.free
                grant.free = 0

    def lapsed_available(self):
        return sum(g.free for g in self.grants if g.expires_at is None or g.expires_at > self.now)
