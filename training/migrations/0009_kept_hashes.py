"""The hash of a picture's bytes as they are kept."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("training", "0008_ai_keywords_and_nearest")]

    operations = [
        migrations.AddField(
            model_name="datasetimage",
            name="kept_sha256",
            field=models.CharField(blank=True, default="", editable=False, max_length=64),
            preserve_default=False,
        ),
        migrations.AddIndex(
            model_name="datasetimage",
            index=models.Index(fields=["dataset", "kept_sha256"], name="training_image_kept"),
        ),
    ]
