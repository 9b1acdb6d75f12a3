"""The database itself refuses to change a frozen dataset version; only its dataset may go."""

from django.db import migrations

FORWARD = """
CREATE FUNCTION training_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.dataset_id IS NULL AND to_jsonb(NEW) - 'dataset_id' = to_jsonb(OLD) - 'dataset_id' THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'A dataset version is immutable' USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER training_datasetversion_immutable BEFORE UPDATE ON training_datasetversion
    FOR EACH ROW EXECUTE FUNCTION training_refuse_change();
"""
BACKWARD = """
DROP TRIGGER training_datasetversion_immutable ON training_datasetversion;
DROP FUNCTION training_refuse_change();
"""


class Migration(migrations.Migration):
    """Adds the trigger."""

    dependencies = [("training", "0001_initial")]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
