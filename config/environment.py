"""Reading the environment, and refusing what would be unsafe."""

import contextlib
import ipaddress
import os
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

PRODUCTION = "production"
STUDIO = "studio"
LOCAL_NAMES = ["127.0.0.1", "localhost", "[::1]"]

# In production nothing may be guessed or made up.
_REQUIRED_IN_PRODUCTION = ("SECRET_KEY", "DATABASE_URL", "REDIS_URL", "ALLOWED_HOSTS")
_SHORTEST_SECRET_KEY = 40


def flag(name: str, *, default: bool = False) -> bool:
    """Return a switch: 1 or 0, on or off. Raises ImproperlyConfigured for anything else."""
    value = os.environ.get(name, "")
    if value not in ("", "0", "1", "on", "off"):
        raise ImproperlyConfigured(f"{name} must be 1 or 0, not {value!r}.")
    return value in ("1", "on") if value else default


def number(name: str, default: int) -> int:
    """Return a whole number of zero or more. Raises ImproperlyConfigured for anything else."""
    value = os.environ.get(name, "")
    if value and not value.isdecimal():
        raise ImproperlyConfigured(f"{name} must be a whole number, not {value!r}.")
    return int(value) if value else default


def words(name: str) -> list[str]:
    """Return a comma-separated list without its empty places."""
    return [word.strip() for word in os.environ.get(name, "").split(",") if word.strip()]


def deployment() -> str:
    """Return `studio` (one machine, the default) or `production`.

    Raises ImproperlyConfigured for another name, and in production for every value that is missing.
    """
    name = os.environ.get("ATELIER_ENV") or STUDIO
    if name not in (PRODUCTION, STUDIO):
        raise ImproperlyConfigured(f"ATELIER_ENV must be {STUDIO} or {PRODUCTION}, not {name!r}.")
    missing = [variable for variable in _REQUIRED_IN_PRODUCTION if not os.environ.get(variable)]
    if name == PRODUCTION and missing:
        raise ImproperlyConfigured(f"ATELIER_ENV=production needs {', '.join(missing)} in the environment.")
    return name


def site_url(allowed_hosts: Iterable[str], *, deployment: str, listen_on: str) -> str:
    """Return the address that a studio most likely has: in production its first host name, over HTTPS."""
    if deployment == PRODUCTION:
        return f"https://{next(iter(allowed_hosts)).lstrip('.')}"
    return f"http://{listen_on}"


def bucket_origin(bucket: str, *, endpoint: str, region: str) -> str:
    """Return the origin of the addresses under which browsers fetch files from an S3-compatible bucket.

    An endpoint of one's own is asked for the bucket by path, Amazon's by host name.
    """
    if endpoint:
        parts = urlsplit(endpoint)
        return f"{parts.scheme}://{parts.netloc}"
    return f"https://{bucket}.s3.{region}.amazonaws.com" if region else f"https://{bucket}.s3.amazonaws.com"


def bucket_options(
    name: str, *, endpoint: str, region: str, access_key: str, secret_key: str
) -> dict[str, Any]:
    """Return the options of a storage in an S3-compatible bucket; what is empty is left to the library."""
    return {
        "bucket_name": name,
        "endpoint_url": endpoint or None,
        "region_name": region or None,
        "access_key": access_key or None,
        "secret_key": secret_key or None,
        "addressing_style": "path" if endpoint else "virtual",
        "signature_version": "s3v4",
        "default_acl": None,
        "file_overwrite": False,
        # Larger files than this are read through a temporary file.
        "max_memory_size": 8 << 20,
    }


def payments(*, deployment: str, listen_on: str, secret_key: str, webhook_secret: str) -> str:
    """Return who takes money: `stripe` where there are keys, else `sandbox` on one's own machine, else `off`.

    PAYMENTS names one of them. Raises ImproperlyConfigured for another name, for Stripe without its keys, and
    for the sandbox in production: there, whoever clicks would have credits for nothing.
    """
    usual = "stripe" if secret_key else "off"
    if not secret_key and deployment == STUDIO and is_loopback(listen_on):
        usual = "sandbox"
    name = os.environ.get("PAYMENTS") or usual
    if name not in ("stripe", "sandbox", "off"):
        raise ImproperlyConfigured(f"PAYMENTS must be stripe, sandbox or off, not {name!r}.")
    if name == "stripe" and not (secret_key and webhook_secret):
        raise ImproperlyConfigured("Taking payments needs STRIPE_SECRET_KEY and STRIPE_WEBHOOK_SECRET.")
    if name == "sandbox" and deployment == PRODUCTION:
        raise ImproperlyConfigured("PAYMENTS=sandbox gives credits for made-up money: not in production.")
    return name


def is_loopback(host: str) -> bool:
    """Whether an address or host name can only be reached from this machine."""
    bare = host.strip("[]").lower()
    if bare in ("localhost", "testserver"):
        return True
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(bare).is_loopback
    return False


def refuse_unsafe(*, deployment: str, debug: bool, listen_on: str, allowed_hosts: Iterable[str]) -> None:
    """Raise ImproperlyConfigured for a combination that would show secrets or tracebacks to strangers."""
    hosts = list(allowed_hosts)
    if debug and deployment == PRODUCTION:
        raise ImproperlyConfigured("DEBUG=1 shows tracebacks and settings: not with ATELIER_ENV=production.")
    if debug and not all(is_loopback(host) for host in [listen_on, *hosts]):
        raise ImproperlyConfigured(
            "DEBUG=1 shows tracebacks and settings: only with ATELIER_HOST and ALLOWED_HOSTS on this machine."
        )
    if not hosts:
        raise ImproperlyConfigured(
            f"ATELIER_HOST={listen_on} lets others in: name the addresses they use in ALLOWED_HOSTS."
        )
    if "*" in hosts:
        raise ImproperlyConfigured("ALLOWED_HOSTS=* accepts forged addresses: name the hosts.")


def secret_key(data_dir: Path, *, deployment: str) -> str:
    """Return SECRET_KEY from the environment; on one machine, one that is made once and kept.

    Raises ImproperlyConfigured in production for a key that is too short to be random.
    """
    given = os.environ.get("SECRET_KEY", "")
    if given and deployment == PRODUCTION and len(given) < _SHORTEST_SECRET_KEY:
        raise ImproperlyConfigured(f"SECRET_KEY needs at least {_SHORTEST_SECRET_KEY} random characters.")
    return given or kept_secret(data_dir / "secret-key")


def kept_secret(path: Path, length: int = 50) -> str:
    """Return the secret kept in a file that only its owner reads, made when it is not there.

    Two processes that start together agree: the file appears whole or not at all, and the first one wins.
    """
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        own = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
        with os.fdopen(os.open(own, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(length))
        with contextlib.suppress(FileExistsError):
            os.link(own, path)
        own.unlink()
    return path.read_text().strip()
