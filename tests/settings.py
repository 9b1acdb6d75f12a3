"""The settings of a test run: its own data directory, servers and files, gone when it ends."""

import os
import tempfile

# Set before the settings are read. Real processes that a test starts inherit it and share the servers.
if "ATELIER_TEST_DATA" not in os.environ:
    os.environ["ATELIER_TEST_DATA"] = tempfile.mkdtemp(prefix="atelier-test-")
os.environ["ATELIER_DATA"] = os.environ["ATELIER_TEST_DATA"]

from config.settings import *  # noqa: F403
from config.settings import DATABASES, DEBUG, STORAGES

if DEBUG:
    raise SystemExit("The tests run with DEBUG off, as the studio does.")

# A test is one transaction, and may train for a while in the middle of it.
DATABASES["default"]["OPTIONS"]["options"] = ""
ALLOWED_HOSTS = ["testserver", "127.0.0.1", "localhost"]
# A slow hash is what protects passwords; a test signs in a thousand times.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = True
