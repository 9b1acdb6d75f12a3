"""The ledger agrees with a reference over random histories, and the same histories catch every mutant."""

import importlib.util
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from billing import services
from tests.billing.machine import LedgerMachine
from tests.billing.mutants import MUTANTS

pytestmark = pytest.mark.django_db

QUICK = settings(
    max_examples=40,
    stateful_step_count=25,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
# A mutant need not be shrunk to a small history: it is enough that one history catches it.
HUNT = settings(QUICK, max_examples=60, phases=[Phase.generate])


@pytest.fixture(autouse=True)
def _own_clock():
    clock = services.timezone
    yield
    services.timezone = clock


def test_agrees_with_the_reference():
    run_state_machine_as_test(LedgerMachine, settings=QUICK)


def load_mutant(name, original, changed):
    source = Path(services.__file__).read_text()
    assert source.count(original) >= 1, f"mutant {name}: its line is gone from the service"
    spec = importlib.util.spec_from_loader(f"billing.mutant_{name}", loader=None)
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up by name.
    sys.modules[module.__name__] = module
    exec(compile(source.replace(original, changed, 1), f"mutant {name}", "exec"), module.__dict__)
    return module


@pytest.mark.parametrize(("name", "original", "changed"), MUTANTS, ids=[m[0] for m in MUTANTS])
def test_every_mutant_is_killed(name, original, changed):
    mutant = load_mutant(name, original, changed)
    machine = type(f"Mutant_{name}", (LedgerMachine,), {"services": mutant})
    try:
        with pytest.raises(BaseException):  # noqa: B017, PT011 (whatever a broken ledger raises)
            run_state_machine_as_test(machine, settings=HUNT)
    finally:
        del sys.modules[mutant.__name__]
