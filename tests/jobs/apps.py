"""An app with the tests' job kinds, for the worker processes that tests start."""

from django.apps import AppConfig


class TestJobsConfig(AppConfig):
    name = "tests.jobs"
    label = "test_jobs"

    def ready(self) -> None:
        from tests.jobs.kinds import register_all

        register_all()
