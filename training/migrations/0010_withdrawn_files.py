"""Withdrawals know the files that exports hold."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """Schema."""

    dependencies = [
        ("training", "0009_kept_hashes"),
    ]

    operations = [
        migrations.AddField(
            model_name="withdrawal",
            name="kept_sha256",
            field=models.CharField(blank=True, editable=False, max_length=64),
        ),
    ]
