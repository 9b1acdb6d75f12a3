"""The settings of the worker processes that tests start: the tests' servers and kinds, and short patience."""

import os

from tests.settings import *  # noqa: F403
from tests.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.jobs.apps.TestJobsConfig"]
# A process that imports torch on a busy machine may be silent for longer; who starts one says so.
JOBS_LEASE_SECONDS = float(os.environ.get("TEST_LEASE_SECONDS", "2"))
JOBS_HEARTBEAT_SECONDS = 0.5
JOBS_PULSE_SECONDS = 0.2
JOBS_LOOK_SECONDS = 0.1
JOBS_RECONCILE_SECONDS = 0.3
JOBS_RETRY_SECONDS = 0.1
JOBS_GRACE_SECONDS = 5
JOBS_KILL_GENERATE_SECONDS = 1
