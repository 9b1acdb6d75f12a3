"""Whose dataset and whose training it is: what their pages have in common."""

from uuid import UUID

from django.shortcuts import get_object_or_404

from training.models import AITraining, Dataset, Experiment
from training.views.requests import StudioRequest


def own_dataset(request: StudioRequest, pk: UUID) -> Dataset:
    """Return the user's dataset with its licence, or raise Http404."""
    datasets = Dataset.objects.owned_by(request.user).select_related("licence")
    found: Dataset = get_object_or_404(datasets, pk=pk)
    return found


def own_experiment(request: StudioRequest, pk: UUID, *, is_live: bool = False) -> Experiment:
    """Return the user's experiment, or raise Http404. `is_live`: with only what the moving fragments show."""
    experiments = (
        Experiment.objects.owned_by(request.user)
        .select_related("job__price", "dataset_version", "saved_model__owner")
        .defer("dataset_version__pictures")
    )
    if not is_live:
        experiments = experiments.select_related(
            "owner",
            "dataset_version__dataset",
            "dataset_version__licence",
            "starting_point__model__owner",
            "starting_point__source",
            "continued_from__experiment",
        )
    found: Experiment = get_object_or_404(experiments, pk=pk)
    return found


def own_ai_training(request: StudioRequest, pk: UUID) -> AITraining:
    """Return the user's AI training, or raise Http404."""
    trainings = (
        AITraining.objects.owned_by(request.user)
        .select_related(
            "owner",
            "job__price",
            "dataset_version__dataset",
            "dataset_version__licence",
            "base__model__owner",
            "base__source",
            "saved_model__owner",
        )
        .defer("dataset_version__pictures")
    )
    found: AITraining = get_object_or_404(trainings, pk=pk)
    return found
