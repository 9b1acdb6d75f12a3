"""What an admin edits of making pictures: the styles beside the prompt, and the words that are refused."""

from typing import ClassVar

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from generation.models import BlockedWord, PromptStyle


class PromptStyleForm(forms.ModelForm[PromptStyle]):
    """A style whose template has the prompt in it once."""

    def clean_template(self) -> str:
        """Refuse a template that would lose the prompt or repeat it."""
        template: str = self.cleaned_data["template"]
        if template.count("{prompt}") != 1:
            raise ValidationError(_("Write {prompt} once, where the prompt goes."))
        return template


@admin.register(PromptStyle)
class PromptStyleAdmin(admin.ModelAdmin[PromptStyle]):
    """The list that people choose from, in its order."""

    form = PromptStyleForm
    list_display = ("title", "template", "base_family", "position", "is_shown")
    list_editable = ("position", "is_shown")
    prepopulated_fields: ClassVar = {"slug": ("title",)}


@admin.register(BlockedWord)
class BlockedWordAdmin(admin.ModelAdmin[BlockedWord]):
    """Words and phrases that prompts may not have."""

    list_display = ("text", "note", "created_at")
    search_fields = ("text", "note")
