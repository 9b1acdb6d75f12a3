"""The rights to samples that were drawn before rights were stated: they were known all along."""

from django.db import migrations
from django.db.models import F


def state(apps, _schema_editor):
    """Say of every sample what a new one comes with."""
    samples = apps.get_model("training", "Dataset").objects.exclude(sample_family="")
    samples.filter(rights_stated_at=None).update(people="none", rights_stated_at=F("created_at"))


class Migration(migrations.Migration):
    """Changes rows, not the schema."""

    dependencies = [("training", "0005_dataset_reports")]

    operations = [migrations.RunPython(state, migrations.RunPython.noop)]
