"""Has every connection to the database carry the number of its process: the audit's name for a writer."""

import os

from django.apps import AppConfig
from django.db.backends.signals import connection_created


class ChaosConfig(AppConfig):
    name = "tests.chaos"
    label = "test_chaos"

    def ready(self) -> None:
        connection_created.connect(name_connection)


def name_connection(connection, **_values) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('application_name', %s, false)", [f"pid:{os.getpid()}"])
