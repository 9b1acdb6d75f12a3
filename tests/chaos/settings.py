"""The settings of the processes that the chaos test kills: servers and files of its own, short patience."""

import os
from pathlib import Path

from tests.settings import *  # noqa: F403
from tests.settings import DATABASES, INSTALLED_APPS, STORAGES

INSTALLED_APPS = [*INSTALLED_APPS, "tests.chaos.apps.ChaosConfig"]
DATA_DIR = Path(os.environ["CHAOS_DATA"])
DATABASES["default"]["OPTIONS"]["options"] = "-c idle_in_transaction_session_timeout=5s"
STORAGES["default"]["OPTIONS"] = {"location": DATA_DIR / "files"}
# Every e-mail is a file: the processes that send them are not the test's.
EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
EMAIL_FILE_PATH = DATA_DIR / "mail"
# Longer than a busy machine needs to import torch, during which nothing else of the process runs.
JOBS_LEASE_SECONDS = 8
JOBS_HEARTBEAT_SECONDS = 1
JOBS_PULSE_SECONDS = 0.3
JOBS_RECONCILE_SECONDS = 0.5
JOBS_RETRY_SECONDS = 0.2
JOBS_GRACE_SECONDS = 5
JOBS_KILL_GENERATE_SECONDS = 1
JOBS_KILL_SECONDS = 4
