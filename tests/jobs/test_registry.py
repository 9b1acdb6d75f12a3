"""The kinds of work."""

import pytest

from jobs import registry
from jobs.models import Queue
from jobs.registry import JobKind


def test_a_kind_is_found_by_its_name():
    assert registry.get("test.count").queue == Queue.TRAIN
    assert "test.count" in registry.names("train")
    assert "test.count" not in registry.names("light")


def test_registering_twice_the_same_is_harmless():
    registry.register(registry.get("test.count"))


def test_a_name_means_one_thing():
    other = JobKind(name="test.count", queue=Queue.LIGHT, handler="tests.jobs.handlers.noop", title="other")

    with pytest.raises(ValueError, match="registered twice"):
        registry.register(other)


def test_an_unknown_kind():
    with pytest.raises(KeyError):
        registry.get("test.unknown")
