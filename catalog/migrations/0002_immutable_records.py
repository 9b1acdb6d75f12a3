"""The database itself refuses to change what a version is: an address, a hash and a licence mean the same for ever."""

from django.db import migrations

_REFUSE = """
    CREATE FUNCTION catalog_refuse_update() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION '% is immutable: publish a new version instead', TG_TABLE_NAME
            USING ERRCODE = 'integrity_constraint_violation';
    END $$;

    CREATE TRIGGER catalog_modelversion_immutable BEFORE UPDATE ON catalog_modelversion
        FOR EACH ROW EXECUTE FUNCTION catalog_refuse_update();
    CREATE TRIGGER catalog_modelfile_immutable BEFORE UPDATE ON catalog_modelfile
        FOR EACH ROW EXECUTE FUNCTION catalog_refuse_update();
    CREATE TRIGGER catalog_derivation_immutable BEFORE UPDATE ON catalog_derivation
        FOR EACH ROW EXECUTE FUNCTION catalog_refuse_update();
    -- A source's label may change (a person's name leaves it with the person); what it stands for may not.
    CREATE TRIGGER catalog_source_immutable BEFORE UPDATE OF id, kind, sha256, licence_id, created_at ON catalog_source
        FOR EACH ROW WHEN (
            (OLD.id, OLD.kind, OLD.sha256, OLD.licence_id, OLD.created_at)
            IS DISTINCT FROM (NEW.id, NEW.kind, NEW.sha256, NEW.licence_id, NEW.created_at)
        ) EXECUTE FUNCTION catalog_refuse_update();
"""

_ALLOW = """
    DROP TRIGGER catalog_source_immutable ON catalog_source;
    DROP TRIGGER catalog_derivation_immutable ON catalog_derivation;
    DROP TRIGGER catalog_modelfile_immutable ON catalog_modelfile;
    DROP TRIGGER catalog_modelversion_immutable ON catalog_modelversion;
    DROP FUNCTION catalog_refuse_update();
"""


class Migration(migrations.Migration):
    """Triggers that refuse UPDATE. DELETE stays possible: a person may take their model away."""

    dependencies = [("catalog", "0001_initial")]

    operations = [migrations.RunSQL(_REFUSE, _ALLOW)]
