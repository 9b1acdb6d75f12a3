"""What a licence allows, asks for and forbids."""

from django.db import models


class Licence(models.Model):
    """A licence as data, in the terms of SPDX and choosealicense."""

    slug = models.SlugField(primary_key=True, max_length=60)
    spdx_id = models.CharField(max_length=60, blank=True)
    name = models.CharField(max_length=120)
    permissions = models.JSONField(default=list)
    conditions = models.JSONField(default=list)
    limitations = models.JSONField(default=list)
    outputs_commercial = models.BooleanField(default=False)
    derivatives = models.BooleanField(default=False)
    share_alike = models.BooleanField(default=False)
    attribution_required = models.BooleanField(default=False)
    use_restrictions = models.JSONField(default=list)
    summary = models.TextField(blank=True)
    url = models.URLField(blank=True)
    full_text = models.TextField(blank=True)
    # Whether forms offer it. Somebody's own text is a licence too, for what it was written for.
    is_offered = models.BooleanField(default=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
