import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    """Public names that people had before."""

    dependencies = [("accounts", "0005_legal_pages")]

    operations = [
        migrations.CreateModel(
            name="FormerHandle",
            fields=[
                ("handle", models.SlugField(max_length=40, primary_key=True, serialize=False)),
                ("left_at", models.DateTimeField(auto_now_add=True)),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="former_handles",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "former public name",
                "verbose_name_plural": "former public names",
                "ordering": ["left_at"],
            },
        ),
    ]
