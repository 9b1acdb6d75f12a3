"""What the directory counts behind its filters is read from an index alone; featured models have one."""

from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0011_size_of_runs"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]
    operations = [
        migrations.AddIndex(
            model_name="catalogmodel",
            index=models.Index(
                fields=["-featured_at"],
                condition=models.Q(featured_at__isnull=False),
                name="catalog_model_featured",
            ),
        ),
        migrations.AddIndex(
            model_name="catalogmodel",
            index=models.Index(
                fields=["owner"],
                include=[
                    "visibility",
                    "withdrawn_at",
                    "type",
                    "family",
                    "outputs_commercial",
                    "input_kinds",
                    "output_kinds",
                    "keywords",
                ],
                name="catalog_model_counted",
            ),
        ),
    ]
