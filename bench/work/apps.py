"""Registers the benchmarks' job kinds."""

from django.apps import AppConfig


class WorkConfig(AppConfig):
    """The app of the benchmarks' processes."""

    name = "bench.work"
    label = "bench_work"

    def ready(self) -> None:
        """Register the kinds."""
        from jobs.models import Queue  # noqa: PLC0415 -- models are ready only now
        from jobs.registry import JobKind, register  # noqa: PLC0415

        register(
            JobKind(name="bench.noop", queue=Queue.GENERATE, handler="bench.work.handlers.noop", title="Noop")
        )
        register(
            JobKind(
                name="bench.train", queue=Queue.TRAIN, handler="bench.work.handlers.train", title="Training"
            )
        )
        for name, queue in (("bench.deaf", Queue.GENERATE), ("bench.deaf_training", Queue.TRAIN)):
            register(JobKind(name=name, queue=queue, handler="bench.work.handlers.deaf", title="Deaf"))
