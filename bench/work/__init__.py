"""The jobs that benchmarks time, as an app of their own that only their processes install."""
