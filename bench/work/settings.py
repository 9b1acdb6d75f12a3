"""The studio's own settings, and the benchmarks' job kinds."""

from config.settings import *  # noqa: F403
from config.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "bench.work.apps.WorkConfig"]
# What is timed is the work, not the paying for it.
CREDITS_ENABLED = False
