import pytest

from generation.explore import look_jobs


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look is done in one go, however busy the machine is on which the tests run."""
    monkeypatch.setattr(look_jobs, "MAX_SECONDS", 3600.0)
