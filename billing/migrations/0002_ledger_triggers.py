"""The database itself keeps the ledger: every transaction sums to zero, and what is written stays."""

from django.db import migrations

APPEND_ONLY = """
CREATE FUNCTION billing_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Test databases are emptied between tests; no other may be.
    IF TG_OP = 'TRUNCATE' AND current_setting('atelier.allow_truncate', true) = 'on' THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION 'The ledger is append-only: % on % is refused', TG_OP, TG_TABLE_NAME;
END $$;

CREATE TRIGGER billing_entry_append_only BEFORE UPDATE OR DELETE ON billing_creditentry
    FOR EACH ROW EXECUTE FUNCTION billing_append_only();
CREATE TRIGGER billing_entry_no_truncate BEFORE TRUNCATE ON billing_creditentry
    FOR EACH STATEMENT EXECUTE FUNCTION billing_append_only();
CREATE TRIGGER billing_txn_append_only BEFORE UPDATE OR DELETE ON billing_credittxn
    FOR EACH ROW EXECUTE FUNCTION billing_append_only();
CREATE TRIGGER billing_txn_no_truncate BEFORE TRUNCATE ON billing_credittxn
    FOR EACH STATEMENT EXECUTE FUNCTION billing_append_only();
"""

BALANCED = """
CREATE FUNCTION billing_txn_balanced() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE total bigint;
BEGIN
    SELECT sum(amount) INTO total FROM billing_creditentry WHERE txn_id = NEW.txn_id;
    IF total <> 0 THEN
        RAISE EXCEPTION 'The entries of transaction % sum to %, not to 0', NEW.txn_id, total;
    END IF;
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER billing_entry_balanced AFTER INSERT ON billing_creditentry
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION billing_txn_balanced();
"""

UNDO = """
DROP TRIGGER billing_entry_balanced ON billing_creditentry;
DROP TRIGGER billing_entry_append_only ON billing_creditentry;
DROP TRIGGER billing_entry_no_truncate ON billing_creditentry;
DROP TRIGGER billing_txn_append_only ON billing_credittxn;
DROP TRIGGER billing_txn_no_truncate ON billing_credittxn;
DROP FUNCTION billing_txn_balanced();
DROP FUNCTION billing_append_only();
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0001_initial")]
    operations = [migrations.RunSQL(APPEND_ONLY + BALANCED, UNDO)]
