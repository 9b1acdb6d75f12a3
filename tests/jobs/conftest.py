"""Jobs of test kinds."""

import pytest
from tests.jobs import kinds

from accounts.models import User
from jobs.models import Job
from jobs.services import submit_job

kinds.register_all()


@pytest.fixture
def submit(owner: User):
    """Return a function that submits a job of a test kind, by default the owner's."""

    def submit(name: str, *, by: User = owner, label: str = "", **options) -> Job:
        return submit_job(owner=by, kind=f"test.{name}", label=label or name, **options)

    return submit
