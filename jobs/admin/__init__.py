"""Jobs and machines in Django admin: read-only, but for a few audited actions."""

from jobs.admin.jobs import JobAdmin
from jobs.admin.machines import MachineAdmin

__all__ = ["JobAdmin", "MachineAdmin"]
