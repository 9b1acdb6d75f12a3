"""The first price list: rows that an admin edits from then on."""

from django.db import migrations

GB = 1024**3
PLANS = [
    {"slug": "free", "name": "Free", "price_cents": 0, "credits": 125, "credits_once": True,
     "storage_bytes": 5 * GB, "experiments_at_once": 1, "hours_at_a_time": 3, "weight": 1},
    {"slug": "standard", "name": "Standard", "price_cents": 1500, "credits": 625, "free_training": True,
     "storage_bytes": 100 * GB, "experiments_at_once": 5, "weight": 1},
    {"slug": "pro", "name": "Pro", "price_cents": 3500, "credits": 2250, "free_training": True,
     "storage_bytes": 500 * GB, "experiments_at_once": 5, "weight": 2},
    {"slug": "unlimited", "name": "Unlimited", "price_cents": 9500, "credits": 2250, "free_training": True,
     "storage_bytes": 500 * GB, "experiments_at_once": 5, "weight": 2, "relaxed_queue": True},
    # What everybody has where nothing is sold (CREDITS=off).
    {"slug": "house", "name": "House", "price_cents": 0, "credits": 0, "is_offered": False,
     "storage_bytes": 500 * GB, "experiments_at_once": 5, "weight": 1},
]
PRICES = [
    {"code": "ai-training", "label": "AI Training", "credits": 1000, "per": 1},
    {"code": "picture", "label": "Generated picture", "credits": 5, "per": 1},
    {"code": "experiment-64", "label": "Training steps at 64 px", "credits": 10, "per": 1000},
    {"code": "experiment-128", "label": "Training steps at 128 px", "credits": 30, "per": 1000},
    {"code": "experiment-256", "label": "Training steps at 256 px", "credits": 100, "per": 1000},
    {"code": "experiment-512", "label": "Training steps at 512 px", "credits": 300, "per": 1000},
    {"code": "experiment-1024", "label": "Training steps at 1024 px", "credits": 900, "per": 1000},
    {"code": "model-run", "label": "Model run", "credits": 1, "per": 1},
]
PACKS = [
    {"slug": "small", "name": "500 credits", "price_cents": 1200, "credits": 500},
    {"slug": "medium", "name": "1,500 credits", "price_cents": 3000, "credits": 1500},
    {"slug": "large", "name": "5,000 credits", "price_cents": 9000, "credits": 5000},
]


def add_rows(apps, schema_editor):
    for position, row in enumerate(PLANS):
        apps.get_model("billing", "Plan").objects.create(position=position, **row)
    for row in PRICES:
        apps.get_model("billing", "Price").objects.create(**row)
    for position, row in enumerate(PACKS):
        apps.get_model("billing", "Pack").objects.create(position=position, **row)


class Migration(migrations.Migration):
    dependencies = [("billing", "0002_ledger_triggers")]
    operations = [migrations.RunPython(add_rows, migrations.RunPython.noop)]
