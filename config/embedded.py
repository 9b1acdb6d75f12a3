"""The embedded PostgreSQL and Redis: real servers out of wheels, on unix sockets in the data directory.

They are for one machine. With DATABASE_URL and REDIS_URL in the environment nothing here is used.
"""

from pathlib import Path


def postgres_url(data_dir: Path) -> str:
    """Return the address of the embedded PostgreSQL, whether it runs or not."""
    return f"postgresql://postgres@/atelier?host={data_dir / 'postgres'}"


def redis_url(data_dir: Path) -> str:
    """Return the address of the embedded Redis, whether it runs or not."""
    return f"unix://{data_dir / 'redis' / 'redis.sock'}"
