"""Job kinds of the tests. Registered by `tests.jobs.settings` in workers and by a fixture in the tests."""

from jobs.models import Queue
from jobs.registry import JobKind, register

KINDS = [
    JobKind(name=f"test.{name}", title=name, **{"handler": f"tests.jobs.handlers.{name}", **options})
    for name, options in {
        "noop": {"queue": Queue.GENERATE, "on_end": "tests.jobs.handlers.note_end"},
        "count": {"queue": Queue.TRAIN, "resumable": True, "on_end": "tests.jobs.handlers.note_end"},
        "limited": {"queue": Queue.TRAIN, "resumable": True, "is_limited": True},
        "sliced": {
            "queue": Queue.TRAIN,
            "resumable": True,
            "slice_end": "tests.jobs.handlers.slice_end",
        },
        "refuse": {"queue": Queue.LIGHT},
        "told": {
            "queue": Queue.TRAIN,
            "resumable": True,
            "on_end": "jobs.mail.plan_end_mail",
            "end_mail": "tests.jobs.handlers.letter",
        },
        "crash": {"queue": Queue.LIGHT, "on_end": "tests.jobs.handlers.fail_to_note_end"},
        "die": {"queue": Queue.GENERATE},
        "deaf": {"queue": Queue.GENERATE},
        "relaxable": {"queue": Queue.GENERATE, "batch_size": 4, "may_relax": True},
        "together": {
            "queue": Queue.GENERATE,
            "batch_size": 4,
            "compute": "tests.jobs.handlers.shout",
            "on_end": "tests.jobs.handlers.note_end",
        },
        "handed": {
            "queue": Queue.GENERATE,
            "handler": "tests.jobs.handlers.together",
            "batch_size": 4,
            "compute": "tests.jobs.handlers.shout_one_by_one",
            "hands_over": True,
            "on_end": "tests.jobs.handlers.note_end",
        },
    }.items()
]


def register_all() -> None:
    for kind in KINDS:
        register(kind)
