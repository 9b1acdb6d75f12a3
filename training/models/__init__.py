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

__all__ = [
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
    "TrainingSpeed",
    "TrainingStat",
    "Upload",
    "UploadedFile",
    "Withdrawal",
]
