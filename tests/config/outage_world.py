"""Makes somebody who is signed in, with two trainings that wait, and prints how to reach them.

It runs in `manage.py shell`, in the studio of a test.
"""

import json

from django.conf import settings
from django.test import Client

from accounts.models import User
from catalog.models import Licence, Source
from catalog.services.seed import seed_licences
from jobs.services import submit_job
from training.models import DatasetVersion, Experiment


def make_experiment(owner: User, version: DatasetVersion, steps: int) -> str:
    job = submit_job(owner=owner, kind="test.count", label="Training", total=steps)
    experiment = Experiment.objects.create(
        owner=owner, name="Shells", dataset_version=version, preset="scratch64", steps=steps, job=job
    )
    return str(experiment.pk)


def main() -> None:
    seed_licences()
    owner = User.objects.create_user("owner@example.org", "correct horse")
    browser = Client()
    browser.force_login(owner)
    licence = Licence.objects.get(slug="own-work")
    source = Source.objects.create(kind=Source.Kind.DATASET, label="Shells", sha256="0" * 64, licence=licence)
    version = DatasetVersion.objects.create(
        name="Shells", sha256="0" * 64, pictures=[], count=0, crop="center", licence=licence, source=source
    )
    made = {
        "cookie": browser.cookies[settings.SESSION_COOKIE_NAME].value,
        "running": make_experiment(owner, version, 400),
        "waiting": make_experiment(owner, version, 4),
    }
    print(json.dumps(made))
