"""The forms of a chain's page: what its first step takes, and what the later ones are set to."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.http import QueryDict
from django.utils.datastructures import MultiValueDict

from accounts.models import User
from catalog.models import ModelVersion
from catalog.run_forms import InputsForm, RunForm
from catalog.services.runs import StepOrder
from catalog.workspaces import ShownStep


class ChainForms:
    """One form for each step, all sent together.

    `only_settings`: nothing is run, so that no files are asked for.
    """

    def __init__(
        self,
        steps: Sequence[ShownStep],
        *,
        user: User,
        data: QueryDict | None = None,
        files: MultiValueDict[str, Any] | None = None,
        only_settings: bool = False,
    ) -> None:
        self._versions = [_usable(one) for one in steps]
        self.first = RunForm(
            data,
            files,
            user=user,
            version=self._versions[0],
            only_settings=only_settings,
            initial=steps[0].step.settings,
        )
        self.later = [
            InputsForm(
                data,
                user=user,
                version=version,
                given=[one.gets],
                prefix=f"step{one.step.position + 1}",
                initial=one.step.settings,
            )
            for version, one in zip(self._versions[1:], steps[1:], strict=True)
        ]

    @property
    def shown(self) -> Iterator[tuple[int, ModelVersion, InputsForm]]:
        """The later steps at which there is something to set: their number, counted from 1, and form."""
        numbered = zip(range(2, len(self._versions) + 1), self._versions[1:], self.later, strict=True)
        return ((number, version, form) for number, version, form in numbered if form.fields)

    def are_valid(self) -> bool:
        """Judge all of them, so that every mistake is told at once."""
        return not sum(not form.is_valid() for form in (self.first, *self.later))

    def orders(self) -> list[StepOrder]:
        """Return the steps as they are set, once the forms are valid."""
        forms: tuple[InputsForm, ...] = (self.first, *self.later)
        return [
            StepOrder(version=version, settings=form.settings())
            for version, form in zip(self._versions, forms, strict=True)
        ]


def _usable(step: ShownStep) -> ModelVersion:
    if step.version is None:
        raise ValueError("a chain that lacks a model has no forms")
    return step.version
