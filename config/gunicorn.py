"""How gunicorn serves the studio: `gunicorn --config python:config.gunicorn`."""

import gc
import os

from config import environment

wsgi_app = "config.wsgi:application"
bind = f"{os.environ.get('ATELIER_HOST') or '127.0.0.1'}:{environment.number('ATELIER_PORT', 8000)}"
# Threads, since most requests are short polls that wait for the database; two processes, so that one slow
# page does not hold up the other half.
worker_class = "gthread"
workers = environment.number("WEB_WORKERS", 2)
threads = environment.number("WEB_THREADS", 8)
preload_app = True
timeout = 120
graceful_timeout = 10
keepalive = 5
# Heartbeats belong into memory: on a busy disk they would block.
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: PTH112, S108
control_socket_disable = True
errorlog = "-"
loglevel = os.environ.get("WEB_LOG_LEVEL", "warning")


def when_ready(_arbiter: object) -> None:
    """Keep what is loaded before the fork out of garbage collections: it stays, and stays shared."""
    gc.collect()
    gc.freeze()
