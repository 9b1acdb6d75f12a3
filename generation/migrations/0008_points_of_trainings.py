"""Points that are pinned in the snapshots of a training; the room that projections take."""

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("generation", "0007_price_of_walks"), ("catalog", "0001_initial")]
    operations = [
        migrations.AlterField(
            model_name="savedpoint",
            name="version",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=models.deletion.CASCADE,
                related_name="points",
                to="catalog.modelversion",
            ),
        ),
        migrations.AddField(
            model_name="savedpoint", name="network", field=models.CharField(blank=True, max_length=60)
        ),
        migrations.AddField(
            model_name="savedpoint", name="training", field=models.UUIDField(blank=True, null=True)
        ),
        migrations.AddConstraint(
            model_name="savedpoint",
            constraint=models.CheckConstraint(
                condition=Q(version__isnull=False) | (Q(training__isnull=False) & ~Q(network="")),
                name="generation_point_found_somewhere",
            ),
        ),
        migrations.AddField(
            model_name="projection", name="size_bytes", field=models.PositiveBigIntegerField(default=0)
        ),
    ]
