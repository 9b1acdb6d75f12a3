"""What can be done with datasets and experiments; other apps call these functions through this package."""

from training.services.ai_trainings import (
    create_ai_draft,
    note_ai_training_end,
    resume_ai_training,
    save_ai_model,
    start_ai_draft,
    start_ai_training,
)
from training.services.crops import choose_crop, cut_picture, cut_pictures
from training.services.datasets import (
    create_dataset,
    create_sample_dataset,
    delete_dataset,
    describe_dataset,
)
from training.services.drafts import change_draft, continue_from, create_draft, delete_draft, start_draft
from training.services.experiments import (
    delete_experiment,
    save_model,
    start_experiment,
)
from training.services.films import make_film
from training.services.pictures import keep_alike, keep_one_of_each, remove_image, remove_pictures
from training.services.rights import state_rights
from training.services.steering import (
    delete_training,
    request_training_sample,
    request_training_snapshot,
    resume_training,
    stop_training,
)
from training.services.uploads import add_files, note_upload_end
from training.services.versions import freeze_version
from training.services.withdrawals import withdraw_picture

__all__ = [
    "add_files",
    "change_draft",
    "choose_crop",
    "continue_from",
    "create_ai_draft",
    "create_dataset",
    "create_draft",
    "create_sample_dataset",
    "cut_picture",
    "cut_pictures",
    "delete_dataset",
    "delete_draft",
    "delete_experiment",
    "delete_training",
    "describe_dataset",
    "freeze_version",
    "keep_alike",
    "keep_one_of_each",
    "make_film",
    "note_ai_training_end",
    "note_upload_end",
    "remove_image",
    "remove_pictures",
    "request_training_sample",
    "request_training_snapshot",
    "resume_ai_training",
    "resume_training",
    "save_ai_model",
    "save_model",
    "start_ai_draft",
    "start_ai_training",
    "start_draft",
    "start_experiment",
    "state_rights",
    "stop_training",
    "withdraw_picture",
]
