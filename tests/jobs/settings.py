"""The settings of the worker processes that tests start: the tests' servers and kinds, and short patience."""

from tests.settings import *  # noqa: F403
from tests.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.jobs.apps.TestJobsConfig"]
JOBS_LEASE_SECONDS = 2
JOBS_HEARTBEAT_SECONDS = 0.5
JOBS_PULSE_SECONDS = 0.2
JOBS_RECONCILE_SECONDS = 0.3
JOBS_RETRY_SECONDS = 0.1
JOBS_GRACE_SECONDS = 5
JOBS_KILL_GENERATE_SECONDS = 1
