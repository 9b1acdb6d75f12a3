"""Forms of AI trainings."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from catalog.models import ModelVersion
from engines.diffusion.config import MAX_STEPS
from training.ai_plans import MAX_PROMPTS, config_of, preset_of, prompts_of, usual_steps
from training.ai_types import subject_examples
from training.exceptions import TrainingError
from training.forms import MIN_STEPS, SettingsForm, clean_line, whole_number
from training.keywords import MAX_LENGTH, judge_keyword, suggest_keyword
from training.models import AITraining, Dataset, DatasetVersion


class AISetupForm(SettingsForm):
    """Base model, name, words and settings."""

    base = forms.ChoiceField(
        label=_("Base model"),
        widget=forms.RadioSelect,
        error_messages={
            "required": _("Choose a base model."),
            "invalid_choice": _("There is no such base model. Choose one of these."),
        },
    )
    name = forms.CharField(
        label=_("Name"),
        max_length=80,
        error_messages={"required": _("Give it a name.")},
        help_text=_("An unusual one works best: common words mean something to the base already."),
    )
    keyword = forms.CharField(
        label=_("Keyword"),
        max_length=MAX_LENGTH,
        required=False,
        help_text=_("The word that stands for it in prompts. Left empty, it is made from the name."),
    )
    subject = forms.CharField(
        label=_("What it shows"),
        max_length=60,
        error_messages={"required": _("Say in a word what the pictures show.")},
    )
    steps = forms.IntegerField(
        label=_("Steps"),
        min_value=MIN_STEPS,
        max_value=MAX_STEPS,
        required=False,
        error_messages={
            "min_value": _("Train for at least %(limit_value)s steps."),
            "max_value": _("Train for at most 20,000 steps."),
        },
        help_text=_("More of them learn more, until they learn by heart."),
    )
    sample_prompts = forms.CharField(
        label=_("Prompts of the samples"),
        required=False,
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=_(
            "One a line; each becomes a picture with every snapshot. {keyword} stands for the keyword, "
            "{class} for what it shows."
        ),
    )
    rank = forms.IntegerField(
        label=_("Rank"),
        min_value=1,
        max_value=256,
        required=False,
        help_text=_("How much it can learn. Larger ones make larger files."),
    )
    batch = forms.IntegerField(
        label=_("Pictures a step"),
        min_value=1,
        max_value=64,
        required=False,
        help_text=_("How many are shown at once. Fewer need less memory."),
    )
    prior_pictures = forms.IntegerField(
        label=_("Pictures of its kind"),
        min_value=0,
        max_value=200,
        required=False,
        help_text=_(
            "The base first makes so many pictures of other things of the same kind and practises on them "
            "too, so that it does not forget how those look."
        ),
    )
    surroundings = forms.IntegerField(
        label=_("Other surroundings"),
        min_value=0,
        max_value=100,
        required=False,
        help_text=_(
            "So many times the subject of each picture is cut out and set into drawn places and colours, so "
            "that the keyword means the subject alone. 0: pictures stay as they are."
        ),
    )
    ADVANCED = ("learning_rate", "rank", "batch", "prior_pictures", "surroundings", "snapshot_every")
    LONGEST = 2000  # characters of one field, of what is kept as it was typed

    def __init__(
        self, *args: Any, user: User, dataset: Dataset, bases: Sequence[ModelVersion], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self._user, self.dataset, self.bases = user, dataset, bases
        base = self.fields["base"]
        assert isinstance(base, forms.ChoiceField)
        base.choices = [(str(one.pk), one.model.title) for one in bases]
        self.initial = {
            "base": str(bases[0].pk),
            "keyword": dataset.keyword,
            "subject": dataset.subject,
            **self.initial,
        }
        self.fields["subject"].help_text = subject_examples(dataset.purpose)
        planned = self.planned()
        usual = config_of(planned)
        for name in self.ADVANCED:
            self.fields[name].widget.attrs["placeholder"] = getattr(usual, name)
        self.fields["steps"].widget.attrs["placeholder"] = self.usual_steps
        preset = preset_of(planned.purpose, planned.base)
        usual_prompts = prompts_of(preset, keyword="{keyword}", subject="{class}")
        self.fields["sample_prompts"].widget.attrs["placeholder"] = "\n".join(usual_prompts)

    @property
    def chosen_base(self) -> ModelVersion:
        """The base as it stands in the form; the first one where that is none."""
        value = str(self["base"].value() or "")
        return next((base for base in self.bases if str(base.pk) == value), self.bases[0])

    @property
    def usual_steps(self) -> int:
        """How many steps it takes where nothing is said."""
        return usual_steps(self.dataset.purpose, self.chosen_base, self.dataset.picture_count)

    @property
    def shown_keyword(self) -> str:
        """The keyword as it stands in the form: typed, or made from the name; "" for neither."""
        typed = str(self["keyword"].value() or "").strip()
        return typed[:MAX_LENGTH] or suggest_keyword(str(self["name"].value() or ""))

    @property
    def shown_subject(self) -> str:
        """What it shows, as it stands in the form."""
        return str(self["subject"].value() or "").strip()[:60]

    def planned(self) -> AITraining:
        """Return the training as it stands in the form, a row that is not stored, to estimate with.

        What cannot be used yet is taken as if it had been left as it was.
        """
        settings = {}
        for name, low, high in (
            ("snapshot_every", MIN_STEPS, MAX_STEPS), ("batch", 1, 64), ("prior_pictures", 0, 200),
        ):  # fmt: skip
            number = whole_number(self[name].value(), low, high)
            if number is not None:
                settings[name] = number
        base, purpose = self.chosen_base, self.dataset.purpose
        keyword, subject = self.shown_keyword or "keyword", self.shown_subject or "subject"
        prompts = self._prompts(str(self["sample_prompts"].value() or ""), keyword, subject)
        return AITraining(
            purpose=purpose,
            keyword=keyword,
            subject=subject,
            base=base,
            steps=whole_number(self["steps"].value(), MIN_STEPS, MAX_STEPS) or self.usual_steps,
            sample_prompts=prompts or prompts_of(preset_of(purpose, base), keyword=keyword, subject=subject),
            settings=settings,
            dataset_version=DatasetVersion(count=self.dataset.picture_count),
        )

    def clean_subject(self) -> str:
        """One line."""
        return clean_line(self.cleaned_data["subject"])

    def clean_keyword(self) -> str:
        """The word typed, or made from the name; refused where another training has it."""
        keyword = self.cleaned_data["keyword"] or suggest_keyword(self.cleaned_data.get("name", ""))
        if not keyword and not self.cleaned_data.get("name"):
            return ""  # the name is asked for already
        try:
            return judge_keyword(self._user, keyword)
        except TrainingError as error:
            raise ValidationError(str(error)) from error

    def clean_sample_prompts(self) -> str:
        """At most so many lines."""
        lines = self.cleaned_data["sample_prompts"].split("\n")
        if len([line for line in lines if line.strip()]) > MAX_PROMPTS:
            raise ValidationError(gettext("Type at most %(count)d prompts.") % {"count": MAX_PROMPTS})
        return str(self.cleaned_data["sample_prompts"])

    @property
    def has_advanced_errors(self) -> bool:
        """Whether something that is folded away needs attention."""
        return super().has_advanced_errors or bool(self["sample_prompts"].errors or self["steps"].errors)

    def values(self) -> dict[str, Any]:
        """Return what `start_ai_draft` takes, without the draft."""
        chosen = self.cleaned_data
        return {
            **{name: chosen[name] for name in ("name", "keyword", "subject")},
            "base": self.chosen_base,
            "steps": chosen["steps"] or self.usual_steps,
            "seed": chosen["seed"] or 0,
            "settings": self.chosen_settings,
            "sample_prompts": self._prompts(chosen["sample_prompts"], chosen["keyword"], chosen["subject"]),
        }

    @staticmethod
    def _prompts(text: str, keyword: str, subject: str) -> list[str]:
        lines = [line.strip() for line in text.split("\n") if line.strip()]
        return [
            line.replace("{keyword}", keyword).replace("{class}", subject) for line in lines[:MAX_PROMPTS]
        ]
