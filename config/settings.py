"""All settings, from the environment; the defaults run a studio on one machine (see docs/operate.md)."""

import os
from pathlib import Path
from typing import Any

import dj_database_url
import django_stubs_ext
from csp.constants import NONE, SELF
from django.utils.translation import gettext_lazy as _

from config import embedded, environment, logs

# Lets generic classes such as ModelAdmin[Plan] be written plainly.
django_stubs_ext.monkeypatch()

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = Path(os.environ.get("ATELIER_DATA") or BASE_DIR / "var").absolute()

DEPLOYMENT = environment.deployment()
IN_PRODUCTION = DEPLOYMENT == environment.PRODUCTION
DEBUG = environment.flag("DEBUG")
# Where the web server listens; deploy/ puts a proxy in front of it.
LISTEN_HOST = os.environ.get("ATELIER_HOST") or "127.0.0.1"
LISTEN_PORT = environment.number("ATELIER_PORT", 8000)
ALLOWED_HOSTS = environment.words("ALLOWED_HOSTS")
if not ALLOWED_HOSTS and environment.is_loopback(LISTEN_HOST):
    ALLOWED_HOSTS = environment.LOCAL_NAMES
environment.refuse_unsafe(
    deployment=DEPLOYMENT, debug=DEBUG, listen_on=LISTEN_HOST, allowed_hosts=ALLOWED_HOSTS
)
# How others reach the studio: what links in e-mails begin with.
SITE_URL = os.environ.get("SITE_URL", "").rstrip("/") or environment.site_url(
    ALLOWED_HOSTS, deployment=DEPLOYMENT, listen_on=f"{LISTEN_HOST}:{LISTEN_PORT}"
)
SECRET_KEY = environment.secret_key(DATA_DIR, deployment=DEPLOYMENT)
# What was made with these keys of before is still read.
SECRET_KEY_FALLBACKS = environment.words("SECRET_KEY_FALLBACKS")

INSTALLED_APPS = [
    "config",
    "accounts",
    "billing",
    "jobs",
    "catalog",
    "training",
    "generation",
    "config.apps.StudioAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "csp",
    "django_htmx",
    "django_rq",
    "template_partials",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "accounts.middleware.PrivatePagesMiddleware",
    "accounts.middleware.FragmentLoginMiddleware",
    "config.middleware.FailureMiddleware",
]
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# Databases: PostgreSQL for everything that must last, Redis for queues and progress.
DATABASE_URL = os.environ.get("DATABASE_URL") or embedded.postgres_url(DATA_DIR)
REDIS_URL = os.environ.get("REDIS_URL") or embedded.redis_url(DATA_DIR)
DATABASES: dict[str, Any] = {
    "default": dj_database_url.parse(DATABASE_URL, conn_max_age=60, conn_health_checks=True),
}
# A server that takes connections and answers none is as good as away.
DATABASES["default"].setdefault("OPTIONS", {}).setdefault("connect_timeout", 5)
# A process that freezes in the middle of a transaction loses it, and with it the locks that others wait for.
DATABASES["default"]["OPTIONS"].setdefault("options", "-c idle_in_transaction_session_timeout=30s")
# Sign-in limits are counted in the database: they hold when Redis is lost.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "django_cache",
        # When it is full, counters are thrown away at random: nobody shall be able to fill it.
        "OPTIONS": {"MAX_ENTRIES": 50_000},
    },
}
# "off": a studio for one's own team. Nothing is priced or held; limits and fairness stay.
CREDITS_ENABLED = environment.flag("CREDITS", default=True)
# Who takes the money: "stripe" (with keys), "sandbox" (nobody: made-up payments, on this machine) or "off".
STRIPE_SECRET_KEY = os.environ.get("STRIPE_SECRET_KEY", "")
STRIPE_WEBHOOK_SECRET = os.environ.get("STRIPE_WEBHOOK_SECRET", "")
PAYMENTS = environment.payments(
    deployment=DEPLOYMENT,
    listen_on=LISTEN_HOST,
    secret_key=STRIPE_SECRET_KEY,
    webhook_secret=STRIPE_WEBHOOK_SECRET,
)
# Whether Stripe adds tax to what is bought (Stripe Tax has to be set up in its dashboard first).
STRIPE_TAX = environment.flag("STRIPE_TAX")
# So long a plan stays after its renewal could not be paid.
BILLING_GRACE_DAYS = environment.number("BILLING_GRACE_DAYS", 7)
# A plan's free order of images waits behind so many paid ones of everybody who has some waiting.
RELAXED_STRIDES = environment.number("RELAXED_STRIDES", 10)
# Refunds of this much and more, in cents, wait for a second person.
REFUND_APPROVAL_CENTS = environment.number("REFUND_APPROVAL_CENTS", 5000)
# Salts the hashes by which somebody who had the free training is known again: keep it for ever.
PERSON_MARK_SALT = os.environ.get("PERSON_MARK_SALT") or SECRET_KEY
# From it follows the key that signs what stands in image files (docs/catalog.md): keep it for ever. When it
# has to change, the public keys of before go into PROVENANCE_OLD_KEYS, so that older files are still known.
PROVENANCE_SECRET = os.environ.get("PROVENANCE_SECRET") or SECRET_KEY
PROVENANCE_OLD_KEYS = environment.words("PROVENANCE_OLD_KEYS")
# A C2PA certificate with its chain and its private key, as PEM files, puts Content Credentials into every
# image file; it needs the extra `c2pa`. With a time-stamping authority, each picture asks it.
C2PA_CERTIFICATE = os.environ.get("C2PA_CERTIFICATE", "")
C2PA_PRIVATE_KEY = os.environ.get("C2PA_PRIVATE_KEY", "")
C2PA_ALGORITHM = os.environ.get("C2PA_ALGORITHM", "es256")
C2PA_TIMESTAMP_URL = os.environ.get("C2PA_TIMESTAMP_URL", "")
# Where engines compute ("cpu", "cuda"; empty: what is there), and how much of its memory jobs may ask for
# (0: all of it).
JOBS_DEVICE = os.environ.get("JOBS_DEVICE", "")
JOBS_DEVICE_BYTES = environment.number("JOBS_DEVICE_BYTES", 0)
RQ_QUEUES = {queue: {"URL": REDIS_URL} for queue in ("train", "generate", "light")}
RQ = {"JOB_CLASS": "jobs.rq.TokenJob", "COMMIT_MODE": "auto"}
RQ_SHOW_ADMIN_LINK = False

# Files: a private directory, or a bucket that several machines share.
FILES_BUCKET = os.environ.get("FILES_BUCKET", "")
FILE_UPLOAD_PERMISSIONS = 0o600
FILE_UPLOAD_DIRECTORY_PERMISSIONS = 0o700
_DIRECTORY: dict[str, Any] = {
    "BACKEND": "django.core.files.storage.FileSystemStorage",
    "OPTIONS": {"location": DATA_DIR / "files"},
}
_FILES_ENDPOINT = os.environ.get("FILES_ENDPOINT", "")
_FILES_REGION = os.environ.get("FILES_REGION", "")
_BUCKET: dict[str, Any] = {
    "BACKEND": "config.bucket_storage.BucketStorage",
    "OPTIONS": environment.bucket_options(
        FILES_BUCKET,
        endpoint=_FILES_ENDPOINT,
        region=_FILES_REGION,
        access_key=os.environ.get("FILES_ACCESS_KEY", ""),
        secret_key=os.environ.get("FILES_SECRET_KEY", ""),
    ),
}
# Whether browsers fetch files from the bucket itself, by signed addresses; otherwise Django passes them on.
FILES_DIRECT = bool(FILES_BUCKET) and environment.flag("FILES_DIRECT", default=True)
_FILES_ORIGIN = environment.bucket_origin(FILES_BUCKET, endpoint=_FILES_ENDPOINT, region=_FILES_REGION)
_MEDIA_ORIGINS = [_FILES_ORIGIN] if FILES_DIRECT else []
# The prefix of an internal location of the proxy that serves DATA_DIR/files; empty: Django sends the bytes.
ACCEL_PREFIX = os.environ.get("ACCEL_PREFIX", "")
STATIC_URL = "static/"
STATIC_ROOT = DATA_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
_PLAIN_STATIC = "django.contrib.staticfiles.storage.StaticFilesStorage"
_HASHED_STATIC = "config.static_storage.StudioStaticStorage"
STORAGES: dict[str, dict[str, Any]] = {
    "default": _BUCKET if FILES_BUCKET else _DIRECTORY,
    "staticfiles": {"BACKEND": _PLAIN_STATIC if DEBUG else _HASHED_STATIC},
}
WHITENOISE_USE_FINDERS = DEBUG

# People.
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "home"
ACCOUNT_ADAPTER = "accounts.adapters.AccountAdapter"
ACCOUNT_FORMS = {
    "login": "accounts.allauth_forms.LoginForm",
    "signup": "accounts.allauth_forms.SignupForm",
    "add_email": "accounts.allauth_forms.AddEmailForm",
    "change_password": "accounts.allauth_forms.ChangePasswordForm",
    "set_password": "accounts.allauth_forms.SetPasswordForm",
    "reset_password": "accounts.allauth_forms.ResetPasswordForm",
    "reset_password_from_key": "accounts.allauth_forms.ResetPasswordKeyForm",
    "reauthenticate": "accounts.allauth_forms.ReauthenticateForm",
}
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "mandatory" if IN_PRODUCTION else "optional"
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
# What changes how somebody gets in is written to them, so that they notice when it was somebody else.
ACCOUNT_EMAIL_NOTIFICATIONS = True
# Beside allauth's own limits: how often one address may have files looked at on /verify/, and report models;
# how often a person, or an address without an account, may have new pictures of maps made.
ACCOUNT_RATE_LIMITS = {
    "verify": "20/m/ip",
    "report_model": "5/h/ip,20/d/ip",
    "look": "240/m/user",
    "look_visitor": "60/m/ip,600/h/ip",
}
# The second step of signing in. Codes of an app are good for their own half minute only (allauth's default):
# with more, one that was used could be used again. Browsers give passkeys to HTTPS and to localhost alone.
MFA_ADAPTER = "accounts.adapters.SecondStepAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_FORMS = {
    "activate_totp": "accounts.allauth_forms.ActivateTOTPForm",
    "add_webauthn": "accounts.allauth_forms.AddPasskeyForm",
    "authenticate": "accounts.allauth_forms.AuthenticateCodeForm",
    "reauthenticate": "accounts.allauth_forms.ReauthenticateCodeForm",
}
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_RECOVERY_CODES_SHOW_ONCE = True
MFA_TOTP_ISSUER = "Atelier"
# Without it, somebody could sign up with another's address and lock it for good. In a studio on one machine
# nobody has to confirm an address.
MFA_ALLOW_UNVERIFIED_EMAIL = not IN_PRODUCTION
# A session is noted when it begins, not at each request: no page asks the database more often for it.
USERSESSIONS_TRACK_ACTIVITY = False
# How many proxies of ours add to X-Forwarded-For; the header is not believed otherwise.
ALLAUTH_TRUSTED_PROXY_COUNT = environment.number("TRUSTED_PROXIES", 0)
EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
if IN_PRODUCTION or os.environ.get("EMAIL_HOST"):
    EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
EMAIL_HOST = os.environ.get("EMAIL_HOST", "localhost")
EMAIL_PORT = environment.number("EMAIL_PORT", 25)
EMAIL_HOST_USER = os.environ.get("EMAIL_HOST_USER", "")
EMAIL_HOST_PASSWORD = os.environ.get("EMAIL_HOST_PASSWORD", "")
EMAIL_USE_TLS = environment.flag("EMAIL_USE_TLS")
EMAIL_TIMEOUT = 20
DEFAULT_FROM_EMAIL = os.environ.get("DEFAULT_FROM_EMAIL", "Atelier <atelier@localhost>")
SERVER_EMAIL = DEFAULT_FROM_EMAIL
# Who runs the studio: alerts about money are written to them.
ADMINS = [("", address) for address in environment.words("ADMINS")]

# What browsers are told. No nonces: nothing is inline, so nothing inline may run.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "blob:", "data:", *_MEDIA_ORIGINS],
        "media-src": [SELF, "blob:", *_MEDIA_ORIGINS],
        "connect-src": [SELF],
        "base-uri": [NONE],
        "object-src": [NONE],
        "frame-ancestors": [NONE],
        "form-action": [SELF, "https://checkout.stripe.com", "https://billing.stripe.com"],
    }
}
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
CSRF_TRUSTED_ORIGINS = environment.words("CSRF_TRUSTED_ORIGINS")
CSRF_FAILURE_VIEW = "config.views.csrf_failure"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = IN_PRODUCTION
SECURE_SSL_REDIRECT = IN_PRODUCTION
SECURE_REDIRECT_EXEMPT = ["^healthz", "^readyz"]
SECURE_HSTS_SECONDS = 31_536_000 if IN_PRODUCTION else 0
if ALLAUTH_TRUSTED_PROXY_COUNT:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
# Files in one form; the upload page sends them one by one where JavaScript runs.
DATA_UPLOAD_MAX_NUMBER_FILES = 200
# What the wizard proposes for a StyleGAN training, at most 25,000.
TRAINING_DEFAULT_STEPS = environment.number("TRAINING_DEFAULT_STEPS", 3000)
# What counts as one generation of the price list: "image", or a whole "order" whatever its number of images.
GENERATION_UNIT = os.environ.get("GENERATION_UNIT", "image")
# The most images that one prompt may ask for at once, the most steps for each, the longest side in pixels
# that upscaling may reach, and the model of the catalog that doubles a picture's sides.
GENERATION_OUTPUTS_MAX = environment.number("GENERATION_OUTPUTS_MAX", 16)
GENERATION_STEPS_MAX = environment.number("GENERATION_STEPS_MAX", 60)
UPSCALE_SIDE_MAX = environment.number("UPSCALE_SIDE_MAX", 2048)
UPSCALE_MODEL = os.environ.get("UPSCALE_MODEL", "atelier/enlarge-2x")
# How many bytes of trained models a worker keeps inside each loaded base, the least used leave first.
GENERATION_LORA_BYTES = environment.number("GENERATION_LORA_BYTES", 256 << 20)
# Limits of imported models (catalog.imports.limits): bytes of a file, and of what a ZIP unpacks to.
IMPORT_LIMITS = {"max_bytes": environment.number("IMPORT_MAX_BYTES", 16 << 30)}
# How many bytes the models laid out on this machine's disk may take; the least recently used leave first, and
# what jobs use stays.
MODELS_BYTES = environment.number("MODELS_BYTES", 50 << 30)
# How many bytes the cache of maps may take; the pictures that nobody has looked at for longest leave first.
LOOKS_BYTES = environment.number("LOOKS_BYTES", 2 << 30)
# Below it the admin page looks for diffusers folders that may become bases of Text to Image.
BASES_DIR = Path(os.environ.get("BASES_DIR") or DATA_DIR / "bases")
# Folder of a transformers image classifier that looks at every picture of Text to Image (none: nothing does),
# and the labels that are refused.
CHECKER_DIR = os.environ.get("CHECKER_DIR", "")
CHECKER_LABELS = environment.words("CHECKER_LABELS")
CHECKER_THRESHOLD = environment.number("CHECKER_THRESHOLD", 50) / 100
# Prompts are people's own: they are written to no log unless this is on, then a line for each order.
PROMPT_LOG = environment.flag("PROMPT_LOG", default=False)

LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = "UTC"
USE_TZ = True
LOGGING = logs.configuration(as_json=IN_PRODUCTION)
