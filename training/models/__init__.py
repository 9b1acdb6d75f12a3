"""Tables of datasets, experiments and AI trainings."""

from training.models.ai_trainings import (
    AISnapshot,
    AITraining,
    AITrainingDraft,
    AITrainingStat,
    KeywordMeaning,
)
from training.models.datasets import (
    Crop,
    Dataset,
    DatasetImage,
    DatasetVersion,
    NearestIndex,
    People,
    PicturePrint,
    Purpose,
    Upload,
    UploadedFile,
    Withdrawal,
)
from training.models.experiments import (
    Experiment,
    ExperimentDraft,
    Film,
    Snapshot,
    TrainingSpeed,
    TrainingStat,
)

# What trains and can be watched, stopped and resumed: both have owner, job, frozen version, snapshots, stats.
TrainingRun = Experiment | AITraining
RUN_MODELS: tuple[type[Experiment], type[AITraining]] = (Experiment, AITraining)

__all__ = [
    "RUN_MODELS",
    "AISnapshot",
    "AITraining",
    "AITrainingDraft",
    "AITrainingStat",
    "Crop",
    "Dataset",
    "DatasetImage",
    "DatasetVersion",
    "Experiment",
    "ExperimentDraft",
    "Film",
    "KeywordMeaning",
    "NearestIndex",
    "People",
    "PicturePrint",
    "Purpose",
    "Snapshot",
    "TrainingRun",
    "TrainingSpeed",
    "TrainingStat",
    "Upload",
    "UploadedFile",
    "Withdrawal",
]
