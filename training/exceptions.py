"""What can go wrong with datasets and experiments; `str(error)` tells the user what to do next."""

from django.utils.functional import Promise


class TrainingError(Exception):
    """Base of the app's errors. `field` names the form field that the message belongs to, "" for none."""

    def __init__(self, message: str | Promise, *, field: str = "") -> None:
        super().__init__(str(message))
        self.field = field


class FileRefused(TrainingError):
    """One file of an upload cannot be used; the others go on."""


class DatasetUnfit(TrainingError):
    """The dataset cannot be trained on as it stands: too few pictures, or pictures still being checked."""


class BoxRefused(TrainingError):
    """A box drawn by hand is too small, or reaches beyond its picture."""


class PicturesMissing(TrainingError):
    """Some of the pictures that were named are not in the dataset."""


class DatasetFull(TrainingError):
    """The dataset has reached its limit of pictures or bytes."""


class RightsMissing(DatasetUnfit):
    """Nobody has said yet where the pictures come from, and what may be done with them."""


class StorageFull(DatasetFull):
    """The account has used up what its plan lets it store."""


class PictureUnknown(TrainingError):
    """Neither the dataset nor a frozen version of it has such a picture."""


class ExperimentBusy(TrainingError):
    """The experiment must be stopped before this can be done."""


class SnapshotMissing(TrainingError):
    """There is no snapshot to save or to show."""


class SettingsRefused(TrainingError):
    """A setting of an experiment is out of its range."""


class TooManyDrafts(TrainingError):
    """The account has as many experiments that were not started as it may have."""


class KeywordTaken(TrainingError):
    """Another AI training of the account has the keyword already."""


class CaptionRefused(TrainingError):
    """A caption, a keyword or a file of captions cannot be taken as it is."""
