"""What can be done with datasets and experiments; other apps call these functions through this package."""

from training.services.datasets import (
    create_dataset,
    create_sample_dataset,
    delete_dataset,
    remove_image,
)
from training.services.drafts import change_draft, continue_from, create_draft, delete_draft, start_draft
from training.services.experiments import (
    delete_experiment,
    request_experiment_sample,
    request_experiment_snapshot,
    resume_experiment,
    save_model,
    start_experiment,
    stop_experiment,
)
from training.services.films import make_film
from training.services.uploads import add_files, note_upload_end
from training.services.versions import freeze_version

__all__ = [
    "add_files",
    "change_draft",
    "continue_from",
    "create_dataset",
    "create_draft",
    "create_sample_dataset",
    "delete_dataset",
    "delete_draft",
    "delete_experiment",
    "freeze_version",
    "make_film",
    "note_upload_end",
    "remove_image",
    "request_experiment_sample",
    "request_experiment_snapshot",
    "resume_experiment",
    "save_model",
    "start_draft",
    "start_experiment",
    "stop_experiment",
]
