"""Django's entry to the training app."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class TrainingConfig(AppConfig):
    """Names the app, its kinds of jobs and what of it depends on models."""

    name = "training"
    verbose_name = _("Training")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Tell the floors below what they cannot know."""
        from accounts.belongings import register_part  # noqa: PLC0415 - apps must be loaded
        from catalog.generators import register_networks  # noqa: PLC0415 - as above
        from catalog.registry import (  # noqa: PLC0415 - as above
            Dependents,
            PagePart,
            TrainingPictures,
            register_dependents,
            register_page_part,
            register_room,
            register_training_pictures,
        )
        from jobs.idle import register_idle_work  # noqa: PLC0415 - as above
        from jobs.models import Queue  # noqa: PLC0415 - as above
        from jobs.registry import register  # noqa: PLC0415 - as above
        from jobs.sweeps import StoredFiles, register_chore, register_files  # noqa: PLC0415 - as above
        from training.data_parts import tell_training_data  # noqa: PLC0415 - as above
        from training.dependents import describe_ai_trainings, describe_experiments  # noqa: PLC0415 - as above
        from training.kinds import KINDS  # noqa: PLC0415 - as above
        from training.model_nearest import index_keys, nearest_of  # noqa: PLC0415 - as above
        from training.networks import KIND as SNAPSHOT  # noqa: PLC0415 - as above
        from training.networks import SNAPSHOTS, sweep_fetched  # noqa: PLC0415 - as above
        from training.own_data import TRAINING  # noqa: PLC0415 - as above
        from training.probes import Probing  # noqa: PLC0415 - as above
        from training.quotas import room_refusal  # noqa: PLC0415 - as above
        from training.stored import dataset_keys_in_use, job_keys_in_use  # noqa: PLC0415 - as above

        for kind in KINDS:
            register(kind)
        register_networks(SNAPSHOT, SNAPSHOTS)
        register_chore("fetched snapshots", sweep_fetched)
        register_idle_work("training speeds", queue=Queue.TRAIN, factory=Probing)
        register_dependents(Dependents(name="experiments", describe=describe_experiments, blocks=True))
        register_dependents(Dependents(name="AI trainings", describe=describe_ai_trainings, blocks=True))
        register_page_part(
            PagePart(name="training data", template="training/model_data.html", tell=tell_training_data)
        )
        register_room("storage of the plan", room_refusal)
        register_training_pictures("datasets", TrainingPictures(indexes=index_keys, nearest=nearest_of))
        register_files(StoredFiles(name="datasets", prefix="datasets", in_use=dataset_keys_in_use))
        register_files(StoredFiles(name="trainings", prefix="jobs", in_use=job_keys_in_use))
        register_part(TRAINING)
