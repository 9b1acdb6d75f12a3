"""What the settings refuse: the file is read again, with another environment."""

import os
import re
import runpy
import subprocess
import sys

import pytest
from django.core.exceptions import ImproperlyConfigured

import config.settings

PRODUCTION = {
    "ATELIER_ENV": "production",
    "SECRET_KEY": "k" * 50,
    "DATABASE_URL": "postgresql://atelier:secret@database.internal:5433/atelier",
    "REDIS_URL": "redis://cache.internal:6379/0",
    "ALLOWED_HOSTS": "atelier.example",
}
VARIABLES = [
    *PRODUCTION,
    "ATELIER_DATA",
    "ATELIER_HOST",
    "DEBUG",
    "EMAIL_HOST",
    "FILES_BUCKET",
    "FILES_DIRECT",
    "FILES_ENDPOINT",
    "PAYMENTS",
    "STRIPE_SECRET_KEY",
    "STRIPE_WEBHOOK_SECRET",
    "TRUSTED_PROXIES",
]


@pytest.fixture
def read_settings(tmp_path, monkeypatch):
    def read(**environment):
        for name in VARIABLES:
            monkeypatch.delenv(name, raising=False)
        for name, value in {"ATELIER_DATA": str(tmp_path), **environment}.items():
            monkeypatch.setenv(name, value)
        return runpy.run_path(config.settings.__file__)

    return read


def test_the_defaults_are_safe(tmp_path, read_settings):
    report = read_settings()
    assert report["DEBUG"] is False
    assert report["ALLOWED_HOSTS"] == ["127.0.0.1", "localhost", "[::1]"]
    assert report["ACCOUNT_EMAIL_VERIFICATION"] == "optional"
    assert report["DATABASES"]["default"]["HOST"].startswith(str(tmp_path))
    assert report["REDIS_URL"].startswith("unix://")


def test_the_secret_key_is_made_once_and_kept_private(tmp_path, read_settings):
    first, second = read_settings(), read_settings()
    assert first["SECRET_KEY"] == second["SECRET_KEY"]
    assert len(first["SECRET_KEY"]) >= 50
    assert (tmp_path / "secret-key").stat().st_mode & 0o077 == 0


def test_production_is_strict(tmp_path, read_settings):
    report = read_settings(**PRODUCTION)
    assert report["SESSION_COOKIE_SECURE"]
    assert report["SECURE_SSL_REDIRECT"]
    assert report["SECURE_HSTS_SECONDS"] > 0
    assert report["ACCOUNT_EMAIL_VERIFICATION"] == "mandatory"
    assert report["EMAIL_BACKEND"].endswith("smtp.EmailBackend")
    assert report["DATABASES"]["default"]["HOST"] == "database.internal"
    assert not (tmp_path / "secret-key").exists()


@pytest.mark.parametrize("missing", ["SECRET_KEY", "DATABASE_URL", "REDIS_URL", "ALLOWED_HOSTS"])
def test_production_names_what_is_missing(read_settings, missing):
    environment = {name: value for name, value in PRODUCTION.items() if name != missing}
    with pytest.raises(ImproperlyConfigured, match=f"ATELIER_ENV=production needs {missing} "):
        read_settings(**environment)


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({**PRODUCTION, "DEBUG": "1"}, "not with ATELIER_ENV=production"),
        ({**PRODUCTION, "SECRET_KEY": "short"}, "at least 40 random characters"),
        ({**PRODUCTION, "ALLOWED_HOSTS": "*"}, "name the hosts"),
        ({"DEBUG": "1", "ATELIER_HOST": "0.0.0.0", "ALLOWED_HOSTS": "127.0.0.1"}, "on this machine"),
        ({"DEBUG": "1", "ALLOWED_HOSTS": "atelier.example"}, "on this machine"),
        ({"ATELIER_HOST": "0.0.0.0"}, "name the addresses they use in ALLOWED_HOSTS"),
        ({"ATELIER_ENV": "live"}, "must be studio or production"),
        ({"DEBUG": "yes"}, "DEBUG must be 1 or 0"),
        ({"TRUSTED_PROXIES": "-1"}, "TRUSTED_PROXIES must be a whole number"),
    ],
)
def test_what_is_unsafe_or_unclear_is_refused(read_settings, environment, sentence):
    with pytest.raises(ImproperlyConfigured, match=re.escape(sentence)):
        read_settings(**environment)


def test_a_bucket_takes_the_files(read_settings):
    report = read_settings(FILES_BUCKET="atelier", FILES_ENDPOINT="https://s3.example:9000/")
    assert report["STORAGES"]["default"]["BACKEND"].endswith("BucketStorage")
    assert "https://s3.example:9000" in report["CONTENT_SECURITY_POLICY"]["DIRECTIVES"]["img-src"]


def test_a_bucket_that_browsers_do_not_reach_is_not_named_to_them(read_settings):
    report = read_settings(FILES_BUCKET="atelier", FILES_ENDPOINT="https://s3.example", FILES_DIRECT="0")
    assert not report["FILES_DIRECT"]
    assert "example" not in str(report["CONTENT_SECURITY_POLICY"])
    assert not read_settings()["FILES_DIRECT"]


def test_a_command_says_what_is_wrong_in_one_sentence(tmp_path):
    done = subprocess.run(
        [sys.executable, "manage.py", "doctor"],
        env={"PATH": os.environ["PATH"], "ATELIER_DATA": str(tmp_path), "ATELIER_ENV": "production"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "ATELIER_ENV=production needs" in done.stderr


@pytest.mark.parametrize(
    ("environment", "payments"),
    [
        ({}, "sandbox"),
        ({"PAYMENTS": "off"}, "off"),
        ({"STRIPE_SECRET_KEY": "sk_test_1", "STRIPE_WEBHOOK_SECRET": "whsec_1"}, "stripe"),
        ({"ATELIER_HOST": "0.0.0.0", "ALLOWED_HOSTS": "studio.example"}, "off"),
        ({"ATELIER_HOST": "0.0.0.0", "ALLOWED_HOSTS": "studio.example", "PAYMENTS": "sandbox"}, "sandbox"),
        (PRODUCTION, "off"),
    ],
)
def test_who_takes_the_money(read_settings, environment, payments):
    assert read_settings(**environment)["PAYMENTS"] == payments


@pytest.mark.parametrize(
    "environment",
    [
        {"PAYMENTS": "paypal"},
        {"STRIPE_SECRET_KEY": "sk_test_1"},
        {"PAYMENTS": "stripe"},
        {**PRODUCTION, "PAYMENTS": "sandbox"},
    ],
)
def test_payments_that_could_not_be_meant_are_refused(read_settings, environment):
    with pytest.raises(ImproperlyConfigured):
        read_settings(**environment)
