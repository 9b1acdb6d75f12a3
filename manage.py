#!/usr/bin/env python
"""Django's command line for Atelier; `python manage.py studio` runs everything on one machine."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    from config import embedded_use

    try:
        with embedded_use.servers_for(sys.argv):
            execute_from_command_line(sys.argv)
    except (ImproperlyConfigured, embedded_use.EmbeddedServerError) as error:
        sys.exit(f"{error}")


if __name__ == "__main__":
    main()
