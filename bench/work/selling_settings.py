"""The studio's own settings, with payments in the sandbox and static files as they lie in the tree."""

from config.settings import *  # noqa: F403 -- all of them, but for what follows
from config.settings import STORAGES

PAYMENTS = "sandbox"
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = True
ALLOWED_HOSTS = ["testserver"]
