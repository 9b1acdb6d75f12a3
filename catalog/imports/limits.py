"""The limits of imports. Each is a setting; what stands here is its default."""

from dataclasses import dataclass, fields

from django.conf import settings

from engines.archives import ArchiveLimits
from engines.isolation import Confinement


@dataclass(frozen=True, kw_only=True)
class ImportLimits:
    """An operator overrides single limits with `IMPORT_LIMITS = {"max_bytes": ...}` in the settings."""

    max_bytes: int = 16 << 30  # of the file that is sent, and of what a ZIP unpacks to
    max_open: int = 5  # imports of one person that are under way or wait for an answer
    memory_bytes: int = 12 << 30  # of the process that tries a model out
    cpu_seconds: int = 1800
    wall_seconds: int = 3600
    answer_days: int = 14  # so long what was found waits for an answer

    def archive(self) -> ArchiveLimits:
        """What a ZIP may hold."""
        return ArchiveLimits(max_bytes=self.max_bytes)

    def confinement(self) -> Confinement:
        """What the process may use that reads or tries what was brought."""
        return Confinement(
            memory_bytes=self.memory_bytes,
            cpu_seconds=self.cpu_seconds,
            wall_seconds=self.wall_seconds,
            written_bytes=self.max_bytes,
        )


def current() -> ImportLimits:
    """The limits in force. Raises TypeError for a limit that does not exist."""
    overrides = getattr(settings, "IMPORT_LIMITS", {})
    unknown = set(overrides) - {field.name for field in fields(ImportLimits)}
    if unknown:
        raise TypeError(f"IMPORT_LIMITS names unknown limits: {', '.join(sorted(unknown))}.")
    return ImportLimits(**overrides)
