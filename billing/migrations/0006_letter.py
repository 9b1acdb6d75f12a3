import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    """E-mails about money are rows until they are sent."""

    dependencies = [("billing", "0005_kept_rows")]

    operations = [
        migrations.AlterField(
            model_name="alert",
            name="kind",
            field=models.CharField(
                choices=[
                    ("fraud", "A bank warns of fraud"),
                    ("customer_gone", "A customer was deleted at Stripe"),
                    ("two_plans", "Two subscriptions at once"),
                    ("unknown_price", "A subscription to a price that is not ours"),
                    ("event_failed", "An event could not be worked in"),
                    ("payer_erased", "Paid by somebody whose account is erased"),
                ],
                max_length=30,
            ),
        ),
        migrations.CreateModel(
            name="Letter",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("ref", models.CharField(max_length=160, unique=True)),
                ("subject", models.CharField(max_length=200)),
                ("body", models.TextField()),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("done_at", models.DateTimeField(blank=True, null=True)),
                ("attempts", models.PositiveIntegerField(default=0)),
                ("not_before", models.DateTimeField(blank=True, null=True)),
                ("problem", models.CharField(blank=True, max_length=300)),
                (
                    "account",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="letters",
                        to="billing.creditaccount",
                    ),
                ),
                (
                    "invoice",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="letters",
                        to="billing.invoice",
                    ),
                ),
            ],
            options={
                "verbose_name": "e-mail",
                "verbose_name_plural": "e-mails",
                "ordering": ["-id"],
                "indexes": [
                    models.Index(
                        condition=models.Q(("done_at__isnull", True)),
                        fields=["id"],
                        name="billing_letter_waiting",
                    )
                ],
            },
        ),
    ]
