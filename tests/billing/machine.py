"""Histories of a ledger: some written by hand, the others random."""

from django.db import connection, transaction
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from billing import services
from tests.billing.pair import Pair

# Each is a short story that a ledger has gone wrong in; together they kill almost every mutant.
HISTORIES = {
    "hold what there is, to the last credit": [("hold", 125), ("settle", 0, 0.2), ("hold", 100), ("hold", 1)],
    "not one more than there is": [("hold", 126), ("hold", 200)],
    "everything twice": [
        ("grant", "pack", 20, None),
        ("grant_again", 0),
        ("hold", 30),
        ("hold_again", 0),
        ("hold_otherwise", 0),
        ("settle", 0, 0.3),
        ("settle_again", 0, 1),
        ("settle_again", 0, 0),
        ("hold_settled", 0),
    ],
    "what expires first is used first": [
        ("grant", "pack", 5, None),
        ("grant", "plan", 10, 5),
        ("grant", "plan", 10, 2),
        ("grant", "goodwill", 5, None),
        ("grant", "promo", 5, None),
        ("hold", 27),
        ("settle", 0, 0.3),
        ("hold", 140),
    ],
    "what is held is not there for others": [
        ("grant", "pack", 20, None),
        ("hold", 100),
        ("hold", 40),
        ("settle", 0, 0),
        ("hold", 105),
    ],
    "slices, until there is no credit": [
        ("hold", 50),
        ("next_slice", 0, 40),
        ("next_slice", 0, 30),
        ("next_slice", 0, 30),
        ("hold", 5),
    ],
    "stopped before anything came": [("hold", 60), ("next_slice", 0, 60), ("settle", 0, 0), ("hold", 65)],
    "lapsed before it paid a debt": [
        ("hold", 110),
        ("grant", "plan", 20, 1),
        ("days_pass", 1),
        ("owe", 30),
    ],
    "lapsed before it was used": [
        ("grant", "plan", 20, 1),
        ("days_pass", 1),
        ("hold", 130),
        ("expire",),
        ("expire",),
    ],
    "lapsed while it was held": [
        ("grant", "plan", 20, 2),
        ("grant", "plan", 9, 4),
        ("hold", 15),
        ("days_pass", 2),
        ("expire",),
        ("settle", 0, 0.3),
        ("days_pass", 3),
        ("hold", 20),
        ("days_pass", 4),
        ("expire",),
        ("settle", 0, 0),
    ],
    "owing": [
        ("hold", 100),
        ("owe", 60),
        ("hold", 1),
        ("grant", "pack", 20, None),
        ("settle", 0, 0.3),
        ("hold", 5),
    ],
    "paused": [
        ("hold", 10),
        ("pause", True),
        ("hold", 10),
        ("next_slice", 0, 10),
        ("pause", False),
        ("hold", 5),
    ],
    "let off": [("hold", 100), ("settle", 0, 1), ("owe", 60), ("waive",), ("hold", 5), ("waive",)],
    "taken back when it was spent": [
        ("grant", "pack", 100, None),
        ("hold", 200),
        ("settle", 0, 1),
        ("claw", 1, 1),
        ("grant", "pack", 30, None),
        ("hold", 1),
        ("claw", 1, 0.5),
        ("claw", 1, 0),
    ],
    "taken back in part, and more": [
        ("grant", "pack", 40, None),
        ("claw", 1, 0.25),
        ("claw", 1, 0.75),
        ("claw", 1, 0.25),
        ("hold", 150),
    ],
    "taken back while it was held": [
        ("grant", "pack", 100, None),
        ("hold", 225),
        ("claw", 1, 1),
        ("grant", "promo", 100, None),
        ("claw", 1, 0),
        ("settle", 0, 0),
    ],
    "let off, and paid after all": [
        ("grant", "pack", 100, None),
        ("hold", 185),
        ("settle", 0, 1),
        ("claw", 1, 1),
        ("waive",),
        ("claw", 1, 0.5),
        ("claw", 1, 0),
        ("hold", 41),
        ("hold", 40),
        ("claw", 1, 1),
        ("claw", 1, 0),
    ],
    "a debt paid with credits that last, which then was none": [
        ("grant", "plan", 100, 3),
        ("hold", 225),
        ("settle", 0, 1),
        ("claw", 1, 1),
        ("grant", "pack", 150, None),
        ("claw", 1, 0.3),
        ("days_pass", 4),
        ("claw", 1, 0),
        ("expire",),
        ("days_pass", 8),
        ("hold", 150),
    ],
    "one debt for two": [
        ("grant", "pack", 100, None),
        ("claw", 1, 0.5),
        ("hold", 175),
        ("owe", 50),
        ("claw", 1, 0),
        ("claw", 1, 1),
        ("grant", "promo", 120, None),
        ("claw", 1, 0),
        ("settle", 0, 0.3),
    ],
    "held and owed, and released": [
        ("grant", "pack", 50, None),
        ("hold", 175),
        ("claw", 1, 1),
        ("settle", 0, 0),
    ],
    "given again after it had expired": [
        ("grant", "plan", 50, 2),
        ("claw", 1, 1),
        ("days_pass", 3),
        ("claw", 1, 0),
        ("days_pass", 8),
        ("expire",),
    ],
    "refunded": [("hold", 20), ("settle", 0, 1), ("refund", 0), ("refund", 0)],
}

amounts = st.integers(min_value=1, max_value=60)
which = st.integers(min_value=0, max_value=5)
shares = st.sampled_from([0, 0.3, 1])


class LedgerMachine(RuleBasedStateMachine):
    """`services` is the module under test: the real one, or a mutant of it."""

    services = services

    def __init__(self):
        super().__init__()
        # Each history begins with an empty ledger and leaves none behind.
        self.undone = transaction.atomic()
        self.undone.__enter__()
        self.pair = Pair(self.services)

    def teardown(self):
        try:
            # A step that has failed has said enough.
            if not connection.needs_rollback:
                self.pair.check_books()
        finally:
            transaction.set_rollback(True)
            self.undone.__exit__(None, None, None)

    @rule(
        source=st.sampled_from(["plan", "pack", "promo", "goodwill"]),
        amount=amounts,
        days=st.none() | st.integers(min_value=1, max_value=5),
    )
    def grant(self, source, amount, days):
        self.pair.grant(source, amount, days)

    @rule(index=which)
    def grant_again(self, index):
        self.pair.grant_again(index)

    @rule(amount=st.integers(min_value=1, max_value=200))
    def hold(self, amount):
        self.pair.hold(amount)

    @rule(index=which)
    def hold_again(self, index):
        self.pair.hold_again(index)

    @rule(index=which)
    def hold_otherwise(self, index):
        self.pair.hold_otherwise(index)

    @rule(index=which)
    def hold_settled(self, index):
        self.pair.hold_settled(index)

    @rule(index=which, share=shares)
    def settle(self, index, share):
        self.pair.settle(index, share)

    @rule(index=which, share=shares)
    def settle_again(self, index, share):
        self.pair.settle_again(index, share)

    @rule(index=which, following=amounts)
    def next_slice(self, index, following):
        self.pair.next_slice(index, following)

    @rule(index=which)
    def refund(self, index):
        self.pair.refund(index)

    @rule(amount=amounts)
    def owe(self, amount):
        self.pair.owe(amount)

    @rule(index=which, share=st.sampled_from([0, 0.3, 0.5, 1]))
    def claw(self, index, share):
        self.pair.claw(index, share)

    @rule()
    def waive(self):
        self.pair.waive()

    @rule(is_paused=st.booleans())
    def pause(self, is_paused):
        self.pair.pause(is_paused)

    @rule(days=st.integers(min_value=1, max_value=4))
    def days_pass(self, days):
        self.pair.days_pass(days)

    @rule()
    def expire(self):
        self.pair.expire()

    @invariant()
    def agrees(self):
        self.pair.check()
