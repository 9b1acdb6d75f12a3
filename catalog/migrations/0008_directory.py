"""The words by which a model is found are written by the database; how often a model was used."""

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import migrations, models

# Title, name and keywords weigh most, then tagline and people, then the long texts. Setting `search` to
# anything has it written again.
_WRITE = """
    CREATE FUNCTION catalog_write_search() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        publisher text;
        authors text;
    BEGIN
        SELECT concat_ws(' ', handle, display_name) INTO publisher FROM accounts_user WHERE id = NEW.owner_id;
        SELECT string_agg(name, ' ') INTO authors FROM catalog_attribution WHERE model_id = NEW.id;
        NEW.search :=
            setweight(to_tsvector('english',
                concat_ws(' ', NEW.title, NEW.name, array_to_string(NEW.keywords, ' '))), 'A')
            || setweight(to_tsvector('english', concat_ws(' ', NEW.tagline, publisher, authors)), 'B')
            || setweight(to_tsvector('english', concat_ws(' ', NEW.description, NEW.training_data)), 'C');
        RETURN NEW;
    END $$;

    CREATE TRIGGER catalog_catalogmodel_search
        BEFORE INSERT OR UPDATE OF title, name, keywords, tagline, description, training_data, owner_id, search
        ON catalog_catalogmodel FOR EACH ROW EXECUTE FUNCTION catalog_write_search();

    CREATE FUNCTION catalog_author_changed() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP <> 'INSERT' THEN
            UPDATE catalog_catalogmodel SET search = NULL WHERE id = OLD.model_id;
        END IF;
        IF TG_OP <> 'DELETE' THEN
            UPDATE catalog_catalogmodel SET search = NULL WHERE id = NEW.model_id;
        END IF;
        RETURN NULL;
    END $$;

    CREATE TRIGGER catalog_attribution_search AFTER INSERT OR UPDATE OR DELETE ON catalog_attribution
        FOR EACH ROW EXECUTE FUNCTION catalog_author_changed();

    CREATE FUNCTION catalog_publisher_changed() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        UPDATE catalog_catalogmodel SET search = NULL WHERE owner_id = NEW.id;
        RETURN NULL;
    END $$;

    CREATE TRIGGER catalog_publisher_search AFTER UPDATE OF handle, display_name ON accounts_user
        FOR EACH ROW WHEN (
            OLD.handle IS DISTINCT FROM NEW.handle OR OLD.display_name IS DISTINCT FROM NEW.display_name
        ) EXECUTE FUNCTION catalog_publisher_changed();

    UPDATE catalog_catalogmodel SET search = NULL;
"""
_FORGET = """
    DROP TRIGGER catalog_publisher_search ON accounts_user;
    DROP FUNCTION catalog_publisher_changed();
    DROP TRIGGER catalog_attribution_search ON catalog_attribution;
    DROP FUNCTION catalog_author_changed();
    DROP TRIGGER catalog_catalogmodel_search ON catalog_catalogmodel;
    DROP FUNCTION catalog_write_search();
"""


class Migration(migrations.Migration):
    dependencies = [("catalog", "0006_runs"), ("accounts", "0001_initial")]
    operations = [
        migrations.RemoveIndex(model_name="catalogmodel", name="catalog_model_search"),
        migrations.RemoveField(model_name="catalogmodel", name="search"),
        migrations.AddField(
            model_name="catalogmodel", name="search", field=SearchVectorField(editable=False, null=True)
        ),
        migrations.AddIndex(
            model_name="catalogmodel", index=GinIndex(fields=["search"], name="catalog_model_search")
        ),
        migrations.AddField(
            model_name="catalogmodel",
            name="use_count",
            field=models.PositiveIntegerField(db_default=0, default=0, editable=False),
        ),
        migrations.AddIndex(
            model_name="catalogmodel",
            index=models.Index(fields=["-created_at"], name="catalog_model_newest"),
        ),
        migrations.AddIndex(
            model_name="catalogmodel",
            index=models.Index(fields=["-use_count", "-created_at"], name="catalog_model_used"),
        ),
        migrations.RunSQL(_WRITE, _FORGET),
    ]
