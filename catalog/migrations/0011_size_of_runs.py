from django.db import migrations, models


class Migration(migrations.Migration):
    """What a run's pictures take in storage. Runs from before are not measured: they count as nothing."""

    dependencies = [("catalog", "0010_title_of_mixes")]

    operations = [
        migrations.AddField(
            model_name="modelrun",
            name="size_bytes",
            field=models.PositiveBigIntegerField(default=0),
        ),
    ]
