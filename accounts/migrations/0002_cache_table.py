from django.core.management import call_command
from django.db import migrations


def make_cache_table(apps, schema_editor):
    call_command("createcachetable", database=schema_editor.connection.alias, verbosity=0)


def drop_cache_table(apps, schema_editor):
    schema_editor.execute("DROP TABLE IF EXISTS django_cache")


class Migration(migrations.Migration):
    """The table in which sign-in attempts are counted (settings.CACHES)."""

    dependencies = [("accounts", "0001_initial")]

    operations = [migrations.RunPython(make_cache_table, drop_cache_table)]
