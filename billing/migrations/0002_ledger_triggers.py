"""The database itself keeps the ledger: what is written stays, and it adds up."""

from django.db import migrations

APPEND_ONLY_TABLES = ("billing_creditentry", "billing_credittxn", "billing_holdpart")
KEPT_TABLES = ("billing_creditgrant", "billing_credithold")

REFUSE = """
CREATE FUNCTION billing_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Test databases are emptied between tests; no other may be.
    IF TG_OP = 'TRUNCATE' AND current_setting('atelier.allow_truncate', true) = 'on' THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION 'The ledger is append-only: % on % is refused', TG_OP, TG_TABLE_NAME;
END $$;
"""

APPEND_ONLY = """
CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table}
    FOR EACH ROW EXECUTE FUNCTION billing_append_only();
CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION billing_append_only();
"""

# Grants are used up and holds are settled, but neither goes away.
KEPT = """
CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table}
    FOR EACH ROW EXECUTE FUNCTION billing_append_only();
CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION billing_append_only();
"""

BALANCED = """
CREATE FUNCTION billing_check_txn(txn bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE total bigint;
BEGIN
    SELECT sum(amount) INTO total FROM billing_creditentry WHERE txn_id = txn;
    IF total IS NULL THEN
        RAISE EXCEPTION 'Transaction % has no entries', txn;
    ELSIF total <> 0 THEN
        RAISE EXCEPTION 'The entries of transaction % sum to %, not to 0', txn, total;
    END IF;
END $$;

CREATE FUNCTION billing_entry_balanced() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM billing_check_txn(NEW.txn_id);
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER billing_entry_balanced AFTER INSERT ON billing_creditentry
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION billing_entry_balanced();

CREATE FUNCTION billing_txn_balanced() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM billing_check_txn(NEW.id);
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER billing_txn_balanced AFTER INSERT ON billing_credittxn
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION billing_txn_balanced();
"""

HOLDS = """
CREATE FUNCTION billing_hold_covered() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE total bigint;
BEGIN
    SELECT coalesce(sum(amount), 0) INTO total FROM billing_holdpart WHERE hold_id = NEW.id;
    IF total <> NEW.amount THEN
        RAISE EXCEPTION 'The parts of hold % sum to %, not to %', NEW.id, total, NEW.amount;
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER billing_hold_covered AFTER INSERT ON billing_credithold
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION billing_hold_covered();

CREATE FUNCTION billing_hold_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state = 'settled' THEN
        RAISE EXCEPTION 'Hold % is settled and stays as it is', OLD.id;
    ELSIF (NEW.account_id, NEW.work_ref, NEW.slice, NEW.amount)
            IS DISTINCT FROM (OLD.account_id, OLD.work_ref, OLD.slice, OLD.amount) THEN
        RAISE EXCEPTION 'What hold % holds, and for what, is not changed', OLD.id;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER billing_hold_once BEFORE UPDATE ON billing_credithold
    FOR EACH ROW EXECUTE FUNCTION billing_hold_once();
"""

UNDO_TABLE = "DROP TRIGGER {table}_no_truncate ON {table}; DROP TRIGGER {table}_{kept} ON {table};"
UNDO = """
DROP TRIGGER billing_hold_once ON billing_credithold;
DROP TRIGGER billing_hold_covered ON billing_credithold;
DROP TRIGGER billing_txn_balanced ON billing_credittxn;
DROP TRIGGER billing_entry_balanced ON billing_creditentry;
DROP FUNCTION billing_hold_once();
DROP FUNCTION billing_hold_covered();
DROP FUNCTION billing_txn_balanced();
DROP FUNCTION billing_entry_balanced();
DROP FUNCTION billing_check_txn(bigint);
"""


def for_tables(sql, tables, **values):
    return "".join(sql.format(table=table, **values) for table in tables)


class Migration(migrations.Migration):
    dependencies = [("billing", "0001_initial")]
    operations = [
        migrations.RunSQL(
            REFUSE + for_tables(APPEND_ONLY, APPEND_ONLY_TABLES) + for_tables(KEPT, KEPT_TABLES),
            for_tables(UNDO_TABLE, APPEND_ONLY_TABLES, kept="append_only")
            + for_tables(UNDO_TABLE, KEPT_TABLES, kept="no_delete")
            + "DROP FUNCTION billing_append_only();",
        ),
        migrations.RunSQL(BALANCED + HOLDS, UNDO),
    ]
