"""The database keeps what was paid, refunded and given once; and counts looks at Stripe and sandbox objects."""

from django.db import migrations

KEPT_TABLES = (
    "billing_payment",
    "billing_refund",
    "billing_refundrequest",
    "billing_dispute",
    "billing_freetraining",
    "billing_personmark",
)
KEPT = """
CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table}
    FOR EACH ROW EXECUTE FUNCTION billing_append_only();
CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION billing_append_only();
"""
UNDO = "DROP TRIGGER {table}_no_truncate ON {table}; DROP TRIGGER {table}_no_delete ON {table};"
SEQUENCES = "CREATE SEQUENCE billing_look; CREATE SEQUENCE billing_sandbox_position;"
UNDO_SEQUENCES = "DROP SEQUENCE billing_look; DROP SEQUENCE billing_sandbox_position;"


def for_tables(sql):
    return "".join(sql.format(table=table) for table in KEPT_TABLES)


class Migration(migrations.Migration):
    dependencies = [("billing", "0004_payments")]
    operations = [
        migrations.RunSQL(SEQUENCES, UNDO_SEQUENCES),
        migrations.RunSQL(for_tables(KEPT), for_tables(UNDO)),
    ]
