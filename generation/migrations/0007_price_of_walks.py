"""What the frames of a walk cost."""

from django.db import migrations

PRICES = [{"code": "walk", "label": "Frame of a walk", "credits": 1, "per": 24}]


def add_prices(apps, schema_editor):
    for row in PRICES:
        apps.get_model("billing", "Price").objects.get_or_create(
            code=row["code"], is_current=True, defaults=row
        )


class Migration(migrations.Migration):
    dependencies = [("generation", "0006_points"), ("billing", "0005_kept_rows")]
    operations = [migrations.RunPython(add_prices, migrations.RunPython.noop)]
