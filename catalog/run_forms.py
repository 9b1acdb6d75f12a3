"""The form of a Run page, built from a model's typed inputs."""

from collections.abc import Collection
from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.utils.html import escape
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from catalog.kinds import SEED, inputs_of
from catalog.models import ModelVersion
from catalog.registry import run_family
from catalog.runs import file_input, find_source
from catalog.services.runs import MAX_ITEMS, ItemOrder
from engines.onnx.ports import MAX_TEXT, Input, ValueRefusedError, check_value

MAX_COUNT = 16
_LONG_TEXT = 200
_SLIDER_RANGE = 1000  # wider ones cannot be set by hand
PICTURES = "image/jpeg,image/png,image/webp,image/avif,image/heic,image/tiff,image/bmp,.heic,.heif"


class ManyFilesInput(forms.FileInput):
    """A file input that takes several files."""

    allow_multiple_selected = True


class ManyFilesField(forms.FileField):
    """Any number of files, as a list. What is in them is judged one by one, when they are run."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, allow_empty_file=True, **kwargs)

    def clean(self, data: Any, initial: Any = None) -> list[UploadedFile[bytes]]:
        """Return the files that came."""
        files = data if isinstance(data, list) else [data]
        return [super(ManyFilesField, self).clean(file, initial) for file in files if file]


class InputsForm(forms.Form):
    """A field for each input that is no picture, checked as the engine checks it.

    `given` names inputs that get their value elsewhere: from the step before.
    """

    def __init__(
        self, *args: Any, user: User, version: ModelVersion, given: Collection[str] = (), **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self._user, self._version = user, version
        ports = [port for port in inputs_of(version) if port.kind != "image" and port.name not in given]
        self._inputs = {_field_name(port): port for port in ports}
        for name, port in self._inputs.items():
            self.fields[name] = _field(port)

    def clean(self) -> dict[str, Any]:
        """Judge every value by its input's own rules."""
        values = super().clean() or self.cleaned_data
        for name, port in self._inputs.items():
            if name not in values:
                continue
            try:
                values[name] = check_value(port, _read(port, values[name]))
            except ValueRefusedError as error:
                self.add_error(name, str(error))
        if not self.errors:
            self._judge_family()
        return values

    def _judge_family(self) -> None:
        """Let whoever runs the family say what speaks against these values."""
        family = run_family(self._version.model.family)
        problem = family.judge(self._user, self._version, self.settings()) if family else None
        if problem is not None:
            wrong, sentence = problem
            names = {port.name: name for name, port in self._inputs.items()}
            self.add_error(names.get(wrong), sentence)

    def settings(self) -> dict[str, Any]:
        """Return what the inputs are set to, once the form is valid."""
        return {port.name: self.cleaned_data[name] for name, port in self._inputs.items()}


class RunForm(InputsForm):
    """What a model is run with: its inputs, and the files or the number of runs.

    `only_settings`: files may be missing, as nothing is run.
    """

    def __init__(
        self, *args: Any, user: User, version: ModelVersion, only_settings: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(*args, user=user, version=version, **kwargs)
        self._only_settings = only_settings
        port = file_input(version)
        self.takes_files = port is not None
        self.needs_files = port is not None and port.default is None
        if port is not None:
            self.fields["source"] = forms.CharField(required=False, max_length=80, widget=forms.HiddenInput)
            self.fields["files"] = self._files_field(port)
        if not self.needs_files and SEED in self._inputs and self._inputs[SEED].is_whole:
            self.fields["count"] = forms.IntegerField(
                label=_("How many"),
                min_value=1,
                max_value=MAX_COUNT,
                initial=1,
                help_text=_("Each takes the next seed. With pictures to start from, one for each of them.")
                if self.takes_files
                else _("Each takes the next seed."),
                widget=forms.NumberInput(attrs={"data-slider": ""}),
            )
        self.order_fields(
            ["files" if one.kind == "image" else _field_name(one) for one in inputs_of(version)]
        )

    def _files_field(self, port: Input) -> "ManyFilesField":
        kinds = _("One or many; each gets its own result. JPEG, PNG, WebP, HEIC, AVIF, TIFF or BMP.")
        return ManyFilesField(
            label=port.label or _("Pictures"),
            widget=ManyFilesInput(attrs={"accept": PICTURES}),
            help_text=f"{escape(port.help)} {kinds}" if not self.needs_files else kinds,
        )

    @property
    def source_key(self) -> str | None:
        """The stored picture that a link sends to this model, None where there is none."""
        told = self["source"].value() if self.takes_files else ""
        return find_source(self._user, told) if told else None

    def clean(self) -> dict[str, Any]:
        """Besides, ask for a file where one is needed."""
        values = super().clean()
        if self.takes_files and not self._only_settings:
            files = values.get("files", [])
            if len(files) > MAX_ITEMS:
                self.add_error("files", _("Give at most %(max)d files at a time.") % {"max": MAX_ITEMS})
            elif not files and self.source_key is None and (self.needs_files or values.get("source")):
                self.add_error("files", _("Choose at least one picture."))
        return values

    def items(self) -> list[ItemOrder]:
        """Return what is run, once the form is valid; files that were brought win over a link's picture."""
        files = self.cleaned_data["files"] if self.takes_files else []
        if files:
            return [ItemOrder(name=_plain(file.name or ""), file=file) for file in files]
        if self.takes_files and self.source_key is not None:
            return [ItemOrder(stored=self.source_key)]
        if "count" not in self.fields:
            return [ItemOrder()]
        first, count = self.cleaned_data[SEED], self.cleaned_data["count"]
        return [ItemOrder(name=_seed_name(seed)) for seed in range(first, first + count)]


def _field_name(port: Input) -> str:
    """Return the name of an input's field: its own, unless the form itself has one of that name."""
    return f"{port.name}-input" if port.name in {"files", "source", "count"} else port.name


def _seed_name(seed: int) -> str:
    return gettext("Seed %(number)d") % {"number": seed}


def _plain(name: str) -> str:
    """Return the last part of a file's name, without signs that cannot be shown."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    return "".join(sign for sign in last if sign.isprintable())[:200]


def _field(port: Input) -> forms.Field:
    common: dict[str, Any] = {
        "label": port.label or port.name,
        "help_text": escape(port.help),  # fields show it as HTML, and whoever wrote a manifest wrote it
        "initial": port.default,
        "required": port.default is None,
    }
    if port.kind == "category":
        return forms.ChoiceField(choices=[(choice, choice) for choice in port.choices], **common)
    if port.kind == "number":
        return _number_field(port, common)
    longest = int(port.max) if port.kind == "text" and port.max is not None else MAX_TEXT
    if port.kind == "vector":
        common["help_text"] = escape(port.help) or _("%(count)d numbers with commas between them.") % {
            "count": port.length
        }
        common["initial"] = ", ".join(f"{number:g}" for number in port.default or ())
        longest = 24 * port.length
    widget = (
        forms.Textarea(attrs={"rows": 4 if port.default is None else 2})
        if longest > _LONG_TEXT
        else forms.TextInput()
    )
    return forms.CharField(max_length=longest, widget=widget, **common)


def _number_field(port: Input, common: dict[str, Any]) -> forms.Field:
    attributes = {"step": f"{port.step:g}" if port.step else "any"}
    if port.min is not None and port.max is not None and port.max - port.min <= _SLIDER_RANGE:
        attributes["data-slider"] = ""
    widget = forms.NumberInput(attrs=attributes)
    if not port.is_whole:
        return forms.FloatField(min_value=port.min, max_value=port.max, widget=widget, **common)
    low, high = (None if bound is None else int(bound) for bound in (port.min, port.max))
    return forms.IntegerField(min_value=low, max_value=high, widget=widget, **common)


def _read(port: Input, value: Any) -> Any:
    """Turn a field's value into what the input takes; empty stands for the default."""
    if value in (None, ""):
        return None if port.default is not None or port.kind != "text" else ""
    if port.kind != "vector":
        return value
    try:
        return [float(part) for part in str(value).replace(";", ",").split(",") if part.strip()]
    except ValueError:
        return None
