"""Commands of datasets and trainings."""
