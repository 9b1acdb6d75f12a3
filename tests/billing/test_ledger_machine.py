"""The ledger agrees with a reference over many histories, and the same histories catch every fault put in."""

import sys
from pathlib import Path
from types import ModuleType

import pytest
from django.db import DatabaseError, transaction
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from billing import clawback, ledger, services
from billing.exceptions import BillingError
from tests.billing.machine import HISTORIES, LedgerMachine
from tests.billing.mutants import IN_CLAWBACK, IN_LEDGER, IN_SERVICES
from tests.billing.pair import Pair

pytestmark = pytest.mark.django_db

RANDOM = settings(
    max_examples=25,
    stateful_step_count=25,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
# A fault need not be shrunk to a small history: it is enough that one history catches it.
HUNT = settings(RANDOM, phases=[Phase.generate])
# What a ledger that has gone wrong raises here. A NameError is no such thing: that is a mutant gone wrong.
CAUGHT = (AssertionError, BillingError, DatabaseError, ValueError, pytest.fail.Exception)


@pytest.fixture(autouse=True)
def _own_clock():
    clock = services.timezone
    yield
    services.timezone = clock


def play(history, module, *, is_checked_throughout):
    with transaction.atomic():
        pair = Pair(module)
        for step, *values in HISTORIES[history]:
            getattr(pair, step)(*values)
            if is_checked_throughout:
                pair.check()
        pair.check()
        pair.check_books()
        transaction.set_rollback(True)


@pytest.mark.parametrize("history", HISTORIES)
def test_agrees_with_the_reference_over_written_histories(history):
    play(history, services, is_checked_throughout=True)


def test_agrees_with_the_reference_over_random_histories():
    run_state_machine_as_test(LedgerMachine, settings=RANDOM)


def changed_module(module, original="", changed=""):
    """Return a second copy of a module, with one text of it changed."""
    source = Path(module.__file__).read_text(encoding="utf-8")
    assert not original or source.count(original) == 1, f"not once in {module.__name__}: {original}"
    copy = ModuleType(f"{module.__name__}_mutant")
    sys.modules[copy.__name__] = copy  # dataclasses look for theirs by name
    try:
        exec(compile(source.replace(original, changed), copy.__name__, "exec"), copy.__dict__)
    finally:
        del sys.modules[copy.__name__]
    return copy


def is_killed(mutant):
    """Whether one of the histories notices the fault: the written ones first, they are quick."""
    try:
        for history in HISTORIES:
            play(history, mutant, is_checked_throughout=False)
        run_state_machine_as_test(type("Mutant", (LedgerMachine,), {"services": mutant}), settings=HUNT)
    except CAUGHT:
        return True
    return False


@pytest.mark.parametrize(("name", "original", "changed"), IN_SERVICES, ids=[m[0] for m in IN_SERVICES])
def test_every_fault_of_the_services_is_noticed(name, original, changed):
    assert is_killed(changed_module(services, original, changed))


@pytest.mark.parametrize(("name", "original", "changed"), IN_LEDGER, ids=[m[0] for m in IN_LEDGER])
def test_every_fault_of_the_ledger_is_noticed(name, original, changed):
    mutant = changed_module(services)
    mutant.ledger = changed_module(ledger, original, changed)
    assert is_killed(mutant)


@pytest.mark.parametrize(("name", "original", "changed"), IN_CLAWBACK, ids=[m[0] for m in IN_CLAWBACK])
def test_every_fault_of_taking_back_is_noticed(name, original, changed):
    mutant = changed_module(services)
    mutant.clawback = changed_module(clawback, original, changed)
    assert is_killed(mutant)


def test_a_copy_without_a_fault_lives():
    mutant = changed_module(services)
    mutant.clawback = changed_module(clawback)
    mutant.ledger = changed_module(ledger)
    for history in HISTORIES:
        play(history, mutant, is_checked_throughout=False)
