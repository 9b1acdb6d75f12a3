"""Looks by what looks, and the cache of their pictures."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """One look for each page that somebody has open; nobody had any before."""

    dependencies = [("generation", "0004_explore")]

    operations = [
        migrations.RemoveField(model_name="look", name="subject"),
        migrations.AddField(
            model_name="look",
            name="slot",
            field=models.CharField(max_length=60, default=""),
            preserve_default=False,
        ),
        migrations.AddConstraint(
            model_name="look",
            constraint=models.UniqueConstraint(
                fields=("owner", "slot"), name="generation_one_look_for_a_slot"
            ),
        ),
        migrations.CreateModel(
            name="LookPicture",
            fields=[
                ("key", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("sha256", models.CharField(max_length=64)),
                ("network", models.CharField(max_length=60)),
                ("size_bytes", models.PositiveIntegerField()),
                ("used_at", models.DateTimeField()),
            ],
            options={
                "indexes": [
                    models.Index(fields=["used_at"], name="generation_look_used"),
                    models.Index(fields=["network"], name="generation_look_network"),
                ],
            },
        ),
    ]
