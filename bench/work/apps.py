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

        for name, queue, handler in (
            ("noop", Queue.GENERATE, "noop"),
            ("model", Queue.GENERATE, "model"),
            ("train", Queue.TRAIN, "train"),
            ("light", Queue.LIGHT, "noop"),
            ("deaf", Queue.GENERATE, "deaf"),
            ("deaf_training", Queue.TRAIN, "deaf"),
        ):
            path = f"bench.work.handlers.{handler}"
            register(JobKind(name=f"bench.{name}", queue=queue, handler=path, title=name))
