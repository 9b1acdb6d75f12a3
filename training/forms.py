"""Forms of datasets and experiments."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from engines.stylegan.config import MAX_STEPS
from training.exceptions import DatasetUnfit, RightsMissing
from training.models import Crop, Dataset, Experiment, Purpose, Snapshot
from training.selectors import is_being_filled
from training.services.versions import judge_ready
from training.starts import Start

MIN_STEPS = 10
MAX_SEED = 2**31 - 1


def clean_line(text: str) -> str:
    """One printable line. Raises ValidationError for signs that cannot be shown."""
    line = " ".join(text.split())
    if not line.isprintable():
        raise ValidationError(gettext("The name holds signs that cannot be shown. Type it again."))
    return line


class DatasetForm(forms.ModelForm[Dataset]):
    """What a dataset is called and what it is for. Source and licence are stated apart."""

    class Meta:
        model = Dataset
        fields = ["name", "purpose"]
        labels = {"purpose": _("What should a model learn from it?")}
        widgets = {"purpose": forms.RadioSelect}

    def clean_name(self) -> str:
        """One line."""
        return clean_line(self.cleaned_data["name"])


class RowField(forms.ModelChoiceField[Any]):
    """A choice of rows with UUIDs: what is no UUID is no choice, like the UUID of somebody else's row."""

    def to_python(self, value: Any) -> Any:
        """Return the row. Raises ValidationError with the message `invalid_choice`."""
        try:
            return super().to_python(value)
        except ValidationError as error:
            raise ValidationError(self.error_messages["invalid_choice"], code="invalid_choice") from error


class DraftDatasetForm(forms.Form):
    """What a training learns from."""

    dataset = RowField(
        queryset=Dataset.objects.none(),
        label=_("Dataset"),
        error_messages={
            "required": _("Choose a dataset."),
            "invalid_choice": _("There is no such dataset. Choose one of yours."),
        },
    )

    def __init__(self, *args: Any, user: User, purpose: str = Purpose.EXPERIMENT, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._purpose = purpose
        field = self.fields["dataset"]
        assert isinstance(field, RowField)
        field.queryset = Dataset.objects.owned_by(user)
        if purpose != Purpose.EXPERIMENT:
            field.queryset = field.queryset.filter(purpose=purpose)

    @property
    def unstated(self) -> Dataset | None:
        """The chosen dataset, where nothing is wrong but its rights."""
        if not self.has_error("dataset", code="rights"):
            return None
        return Dataset.objects.get(pk=self.data["dataset"])

    def clean_dataset(self) -> Dataset:
        """Refuse a dataset with too few pictures; one that is still being filled may be chosen already."""
        dataset: Dataset = self.cleaned_data["dataset"]
        if not is_being_filled(dataset):
            _judge(dataset, self._purpose)
        return dataset


class SettingsForm(forms.Form):
    """What setup forms have in common. What is left empty takes what the preset says."""

    seed = forms.IntegerField(
        label=_("Seed"),
        min_value=0,
        max_value=MAX_SEED,
        required=False,
        help_text=_("The same seed and settings give the same model."),
    )
    learning_rate = forms.FloatField(
        label=_("Learning rate"),
        min_value=1e-6,
        max_value=0.1,
        required=False,
        help_text=_("How far each step goes. Halve it when the pictures fall apart."),
    )
    snapshot_every = forms.IntegerField(
        label=_("Steps between snapshots"),
        min_value=MIN_STEPS,
        max_value=MAX_STEPS,
        required=False,
        help_text=_("Each shows the samples, is measured, and can be saved as a model."),
    )

    ADVANCED: ClassVar[tuple[str, ...]] = ()  # fields of a TrainConfig, folded away
    LONGEST: ClassVar[int] = 200  # characters of one field, of what is kept as it was typed

    @classmethod
    def typed(cls, data: Mapping[str, str]) -> dict[str, str]:
        """Return what was typed, of the form's own fields and not more than they could mean."""
        return {name: data[name][: cls.LONGEST] for name in cls.base_fields if name in data}

    def clean_name(self) -> str:
        """One line."""
        return clean_line(self.cleaned_data["name"])

    @property
    def advanced_fields(self) -> list[forms.BoundField]:
        """The fields that are folded away."""
        return [self["seed"], *(self[name] for name in self.ADVANCED)]

    @property
    def has_advanced_errors(self) -> bool:
        """Whether something that is folded away needs attention."""
        return any(field.errors for field in self.advanced_fields)

    @property
    def overrides(self) -> list[tuple[str | Promise, Any]]:
        """The advanced settings that were chosen, with their labels."""
        return [(self.fields[name].label or "", value) for name, value in self.chosen_settings.items()]

    @property
    def chosen_settings(self) -> dict[str, Any]:
        """The advanced settings that were chosen, by name."""
        chosen = ((name, self.cleaned_data[name]) for name in self.ADVANCED)
        return {name: value for name, value in chosen if value is not None}


class SetupForm(SettingsForm):
    """The second step: starting point and settings. What is left empty takes what the preset says."""

    start = forms.ChoiceField(
        label=_("Starting point"),
        widget=forms.RadioSelect,
        error_messages={
            "required": _("Choose a starting point."),
            "invalid_choice": _("There is no such starting point. Choose one of these."),
        },
    )
    name = forms.CharField(
        label=_("Name"),
        max_length=80,
        required=False,
        help_text=_("Left empty, it is named after the dataset."),
    )
    crop = forms.ChoiceField(
        label=_("How pictures become squares"), choices=Crop.choices, initial=Crop.CENTER
    )
    mirror = forms.BooleanField(
        label=_("Mirror"),
        required=False,
        initial=True,
        help_text=_("Show each picture also left-right reversed. Switch it off for letters and signs."),
    )
    steps = forms.IntegerField(
        label=_("Steps"),
        min_value=MIN_STEPS,
        max_value=MAX_STEPS,
        error_messages={
            "min_value": _("Train for at least %(limit_value)s steps."),
            "max_value": _("Train for at most 25,000 steps."),
        },
    )
    gamma = forms.FloatField(
        label=_("Gamma"),
        min_value=0,
        max_value=1000,
        required=False,
        help_text=_(
            "Weight of the discriminator's gradient penalty (R1). Raise it when training is unstable."
        ),
    )
    ada_target = forms.FloatField(
        label=_("ADA target"),
        min_value=0,
        max_value=0.95,
        required=False,
        help_text=_(
            "How sure the discriminator may be before pictures are augmented more. 0 switches it off."
        ),
    )
    freeze_d = forms.IntegerField(
        label=_("Frozen layers"),
        min_value=0,
        max_value=20,
        required=False,
        help_text=_("Layers of the discriminator, counted from the picture, that keep what they know."),
    )
    ADVANCED = ("gamma", "ada_target", "learning_rate", "freeze_d", "snapshot_every")

    def __init__(self, *args: Any, starts: Sequence[Start], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.starts = starts
        start = self.fields["start"]
        assert isinstance(start, forms.ChoiceField)
        start.choices = [(one.value, one.title) for one in starts]
        self.initial.setdefault("start", next(one.value for one in starts if not one.refusal))
        self.initial.setdefault("steps", settings.TRAINING_DEFAULT_STEPS)
        for name in self.ADVANCED:
            self.fields[name].widget.attrs["placeholder"] = self._standard(name)

    @property
    def chosen_start(self) -> Start:
        """The starting point as it stands in the form; the first one where that is none."""
        value = str(self["start"].value() or "")
        return next((start for start in self.starts if start.value == value), self.starts[0])

    def clean_start(self) -> str:
        """Refuse what may not be trained from, with the sentence that forbids it."""
        if self.chosen_start.refusal:
            raise ValidationError(self.chosen_start.refusal)
        chosen: str = self.cleaned_data["start"]
        return chosen

    def planned(self) -> Experiment:
        """Return the experiment as it stands in the form, a row that is not stored, to estimate with.

        What cannot be used yet is taken as if it had been left as it was.
        """
        steps = whole_number(self["steps"].value(), MIN_STEPS, MAX_STEPS) or settings.TRAINING_DEFAULT_STEPS
        interval = whole_number(self["snapshot_every"].value(), MIN_STEPS, MAX_STEPS)
        return self.chosen_start.plan(
            steps=steps,
            mirror=bool(self["mirror"].value()),
            settings={"snapshot_every": interval} if interval else {},
        )

    def values(self) -> dict[str, Any]:
        """Return what `start_draft` takes, without the draft."""
        chosen, start = self.cleaned_data, self.chosen_start
        return {
            **{name: chosen[name] for name in ("name", "crop", "mirror", "steps")},
            "continues": start.snapshot is not None,
            "starting_point": start.version,
            "preset": start.preset_name,
            "seed": chosen["seed"] or 0,
            "settings": self.chosen_settings,
        }

    def _standard(self, name: str) -> Any:
        """What a field means when it is left empty, with the chosen starting point."""
        start = self.chosen_start
        origin = None if start.is_scratch else Path()
        return getattr(start.preset.config(dataset=Path(), run_dir=Path(), start=origin), name)


def _judge(dataset: Dataset, purpose: str) -> None:
    try:
        judge_ready(dataset, purpose)
    except DatasetUnfit as error:
        code = "rights" if isinstance(error, RightsMissing) else "unfit"
        raise ValidationError(str(error), code=code) from error


def whole_number(value: object, low: int, high: int) -> int | None:
    """Return what stands in a number's field; None for what is no whole number within the limits."""
    text = str(value)
    number = int(text) if text.isdecimal() and len(text) < 9 else None
    return number if number is not None and low <= number <= high else None


class SnapshotField(RowField):
    """A snapshot, shown by its step."""

    def label_from_instance(self, obj: Snapshot) -> str:
        """Return the snapshot's step in words."""
        return gettext("Step %(step)s") % {"step": f"{obj.step:,}"}


class SaveModelForm(forms.Form):
    """Which snapshot becomes a model, and what the model is called."""

    snapshot = SnapshotField(
        queryset=Snapshot.objects.none(),
        label=_("Snapshot"),
        empty_label=None,
        error_messages={"invalid_choice": _("There is no such snapshot. Choose one of these.")},
    )
    name = forms.CharField(label=_("Name of the model"), max_length=80)

    def __init__(self, *args: Any, experiment: Experiment, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["snapshot"]
        assert isinstance(field, SnapshotField)
        field.queryset = experiment.snapshots.exclude(folder="").order_by("-step")
        self.fields["name"].initial = experiment.name
        if experiment.saved_model_id:
            del self.fields["name"]

    def clean_name(self) -> str:
        """One line."""
        return clean_line(self.cleaned_data["name"])
