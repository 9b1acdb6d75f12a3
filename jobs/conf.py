"""The settings of jobs, with their defaults. All are seconds; override them in Django's settings."""

from django.conf import settings

_DEFAULTS = {
    # A worker that is silent for so long has lost its job.
    "JOBS_LEASE_SECONDS": 30.0,
    # The worker says that it is alive, and the row learns how far it is.
    "JOBS_HEARTBEAT_SECONDS": 5.0,
    # Progress goes to Redis at most so often.
    "JOBS_PULSE_SECONDS": 1.0,
    # The worker looks whether something is asked of its job: a stop is heeded so much later at most.
    "JOBS_LOOK_SECONDS": 0.25,
    # The reconciler looks again.
    "JOBS_RECONCILE_SECONDS": 2.0,
    # After a fault the job waits this long, then twice as long, and so on.
    "JOBS_RETRY_SECONDS": 5.0,
    # A worker that was asked to leave has so long to save and hand back what it does.
    "JOBS_GRACE_SECONDS": 25.0,
    # A stop that is not heeded becomes a kill: a picture is made again in no time, a training has to save.
    "JOBS_KILL_GENERATE_SECONDS": 3.0,
    "JOBS_KILL_SECONDS": 30.0,
}


def seconds(name: str) -> float:
    """Return a setting. Raises KeyError for an unknown one."""
    return float(getattr(settings, name, _DEFAULTS[name]))
