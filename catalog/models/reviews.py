"""Before a model is public, staff look at it; once it is, anybody may report it."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from jobs.models import Job

from .licences import Licence
from .pages import CatalogModel


class PublicationRequest(models.Model):
    """A publisher asks for a model to be public; staff answer."""

    class State(models.TextChoices):
        """Where the request stands."""

        WAITING = "waiting", _("Waiting for review")
        APPROVED = "approved", _("Approved")
        DECLINED = "declined", _("Declined")
        TAKEN_BACK = "taken_back", _("Taken back")

    model = models.ForeignKey(CatalogModel, on_delete=models.CASCADE, related_name="publication_requests")
    state = models.CharField(max_length=20, choices=State.choices, default=State.WAITING)
    # What others may do with the model once it is public.
    licence = models.ForeignKey(
        Licence, on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("licence")
    )
    message = models.TextField(_("message to the reviewers"), blank=True)
    reviewer = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    answer = models.TextField(_("answer to the publisher"), blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    reviewed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["created_at"]
        verbose_name = _("request for publication")
        verbose_name_plural = _("requests for publication")
        permissions = [("answer_publicationrequest", "Can answer requests for publication")]
        constraints = [
            models.UniqueConstraint(
                fields=["model"], condition=Q(state="waiting"), name="catalog_publication_request_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.model}: {self.get_state_display()}"


class ModelReport(models.Model):
    """Somebody says that a model should not be here."""

    class Reason(models.TextChoices):
        """What is wrong with it."""

        LICENCE = "licence", _("Its licence or attribution is wrong")
        RIGHTS = "rights", _("It was made from work of mine without my permission")
        LIKENESS = "likeness", _("It shows a person who did not agree")
        ILLEGAL = "illegal", _("It is unlawful or harmful")
        BROKEN = "broken", _("It does not do what its page says")
        OTHER = "other", _("Something else")

    class State(models.TextChoices):
        """What came of it."""

        OPEN = "open", _("Open")
        UPHELD = "upheld", _("Upheld: the model was withdrawn")
        DISMISSED = "dismissed", _("Dismissed")

    model = models.ForeignKey(CatalogModel, on_delete=models.CASCADE, related_name="reports")
    reporter = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    reason = models.CharField(_("what is wrong"), max_length=20, choices=Reason.choices)
    text = models.TextField(_("what we should know"))
    email = models.EmailField(_("where we may answer"), blank=True)
    state = models.CharField(max_length=20, choices=State.choices, default=State.OPEN)
    reviewer = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    decision = models.TextField(_("decision and why"), blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    decided_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["created_at"]
        verbose_name = _("report")
        verbose_name_plural = _("reports")
        permissions = [("decide_modelreport", "Can decide reports")]

    REASONS_THAT_HURRY: ClassVar = frozenset({Reason.LIKENESS, Reason.ILLEGAL})

    def __str__(self) -> str:
        return f"{self.model}: {self.get_reason_display()}"


class Letter(models.Model):
    """An e-mail about a review, and the light job that sends it."""

    job = models.OneToOneField(Job, on_delete=models.CASCADE, related_name="letter")
    to = models.EmailField()
    subject = models.CharField(max_length=200)
    body = models.TextField()
    sent_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.subject
