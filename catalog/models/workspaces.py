"""A workspace collects the models of a project and keeps the chains that are made of them."""

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.querysets import OwnedQuerySet

from .pages import CatalogModel
from .versions import ModelVersion


class Workspace(models.Model):
    """A project's shelf of models."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="workspaces")
    name = models.CharField(_("name"), max_length=80)
    description = models.CharField(_("what it is for"), max_length=300, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects: ClassVar = OwnedQuerySet.as_manager()

    class Meta:
        ordering = ["-updated_at"]
        constraints = [
            models.UniqueConstraint(fields=["owner", "name"], name="catalog_workspace_name_unique")
        ]

    def __str__(self) -> str:
        return self.name


class WorkspaceModel(models.Model):
    """A model on a workspace's shelf, with the checkpoint that is used there where its family has several."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="shelf")
    model = models.ForeignKey(CatalogModel, on_delete=models.CASCADE, related_name="+")
    # Of the same family: one's own trained model in place of the model's newest version.
    checkpoint = models.ForeignKey(
        ModelVersion, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    position = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["position", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["workspace", "model"], name="catalog_workspace_model_once")
        ]

    def __str__(self) -> str:
        return f"{self.model} in {self.workspace}"


class Chain(models.Model):
    """Models one after another, each taking what the one before gives."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="chains")
    name = models.CharField(_("name"), max_length=80)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["workspace", "name"], name="catalog_chain_name_unique")
        ]

    def __str__(self) -> str:
        return self.name


class ChainStep(models.Model):
    """A model of a chain and what it is set to."""

    chain = models.ForeignKey(Chain, on_delete=models.CASCADE, related_name="steps")
    position = models.PositiveIntegerField()
    # A chain with a step whose model was deleted is shown, and says so; it runs once another is chosen.
    model = models.ForeignKey(
        CatalogModel, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    model_title = models.CharField(max_length=120)
    settings = models.JSONField(default=dict)

    class Meta:
        ordering = ["position"]
        constraints = [models.UniqueConstraint(fields=["chain", "position"], name="catalog_chain_step_once")]

    def __str__(self) -> str:
        return f"{self.chain}, step {self.position}: {self.model_title}"
