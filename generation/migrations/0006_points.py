"""What the steps of a projection cost; pictures made from points; points need no stored picture."""

from django.db import migrations, models

PRICES = [{"code": "projection", "label": "Step of a projection", "credits": 5, "per": 300}]


def add_prices(apps, schema_editor):
    for row in PRICES:
        apps.get_model("billing", "Price").objects.get_or_create(
            code=row["code"], is_current=True, defaults=row
        )


class Migration(migrations.Migration):
    dependencies = [("generation", "0005_looks"), ("billing", "0005_kept_rows")]
    operations = [
        migrations.RemoveField(model_name="savedpoint", name="picture"),
        migrations.AlterField(
            model_name="generation",
            name="kind",
            field=models.CharField(
                choices=[
                    ("seeds", "From seeds"),
                    ("point", "From a point"),
                    ("text", "Text to Image"),
                    ("image", "Image to image"),
                    ("inpaint", "Inside a mask"),
                    ("upscale", "Upscaled"),
                ],
                default="seeds",
                max_length=20,
            ),
        ),
        migrations.RunPython(add_prices, migrations.RunPython.noop),
    ]
