"""What each step of a run costs; prices of runs by type of model; what the models of before take and give."""

import django.db.models.deletion
from django.db import migrations, models

PRICES = [
    {"code": "run-extract", "label": "Run of a model that extracts or identifies", "credits": 1, "per": 1},
    {"code": "run-generate", "label": "Run of a model that generates", "credits": 5, "per": 1},
    {"code": "run-transform", "label": "Run of a model that transforms", "credits": 2, "per": 1},
]
KINDS = {
    "stylegan2": (["number"], ["image"]),
    "stylegan3": (["number"], ["image"]),
    "text-to-image": (["text"], ["image"]),
    "lora": (["text"], ["image"]),
}


def add_prices(apps, schema_editor):
    # The one price for all runs, which nothing was ever sold by.
    apps.get_model("billing", "Price").objects.filter(code="model-run").update(is_current=False)
    for row in PRICES:
        apps.get_model("billing", "Price").objects.get_or_create(
            code=row["code"], is_current=True, defaults=row
        )


def fill_kinds(apps, schema_editor):
    for family, (inputs, outputs) in KINDS.items():
        apps.get_model("catalog", "CatalogModel").objects.filter(family=family).update(
            input_kinds=inputs, output_kinds=outputs
        )


class Migration(migrations.Migration):
    dependencies = [("catalog", "0005_licence_grants"), ("billing", "0005_kept_rows")]
    operations = [
        migrations.AddField(
            model_name="runstep",
            name="price",
            field=models.ForeignKey(
                blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+",
                to="billing.price",
            ),
        ),
        migrations.RunPython(add_prices, migrations.RunPython.noop),
        migrations.RunPython(fill_kinds, migrations.RunPython.noop),
    ]
