"""What an operator gives people for their prompts, and keeps out of them."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class PromptStyle(models.Model):
    """A look that people choose beside their prompt; an admin edits the list."""

    slug = models.SlugField(primary_key=True, max_length=40)
    title = models.CharField(_("title"), max_length=60)
    # Holds "{prompt}" once.
    template = models.CharField(_("template"), max_length=300)
    negative_prompt = models.CharField(_("negative prompt"), max_length=300, blank=True)
    # A base that the style was made for; empty: offered for all.
    base_family = models.CharField(_("kind of base"), max_length=40, blank=True)
    position = models.PositiveIntegerField(_("position"), default=0)
    is_shown = models.BooleanField(_("shown"), default=True)

    class Meta:
        ordering = ["position", "title"]

    def __str__(self) -> str:
        return self.title


class BlockedWord(models.Model):
    """A word or phrase that this installation refuses in prompts, in any case, as whole words."""

    text = models.CharField(_("word or phrase"), max_length=100, unique=True)
    note = models.CharField(_("why"), max_length=200, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["text"]

    def __str__(self) -> str:
        return self.text
