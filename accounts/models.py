"""The user: an e-mail address is the login, a handle is the public name."""

import secrets
import uuid
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models
from django.db.models.functions import Lower
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


def new_handle() -> str:
    """Return an unguessable handle: the e-mail address must never show in a public one."""
    return f"studio-{secrets.token_hex(4)}"


class UserManager(BaseUserManager["User"]):
    """Creates users by e-mail address."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """Insert a user; the address is stored in lower case. Raises ValueError without an address."""
        if not email:
            raise ValueError("A user needs an e-mail address.")
        user = self.model(email=email.lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """Insert a user who may do everything in Django admin."""
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str | None) -> "User":
        """Find a user by address, whatever its case."""
        return self.get(email__iexact=username)


class User(AbstractBaseUser, PermissionsMixin):
    """A person with an account."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    email = models.EmailField(_("e-mail address"), unique=True)
    handle = models.SlugField(_("public name"), max_length=40, unique=True, default=new_handle)
    display_name = models.CharField(_("name"), max_length=80, blank=True)
    mail_when_ended = models.BooleanField(
        _("write to me when a training ends, fails or runs out of credits"), default=True
    )
    is_staff = models.BooleanField(_("staff"), default=False)
    is_active = models.BooleanField(_("active"), default=True)
    date_joined = models.DateTimeField(_("joined"), default=timezone.now)

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    objects: ClassVar[UserManager] = UserManager()

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")
        constraints = [models.UniqueConstraint(Lower("email"), name="accounts_user_email_unique")]

    def __str__(self) -> str:
        return self.email

    @property
    def public_name(self) -> str:
        """What others see."""
        return self.display_name or self.handle


class FormerHandle(models.Model):
    """A public name that somebody had before; it leads to them, and nobody else can take it."""

    handle = models.SlugField(primary_key=True, max_length=40)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="former_handles")
    left_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("former public name")
        verbose_name_plural = _("former public names")
        ordering = ["left_at"]

    def __str__(self) -> str:
        return self.handle


class Erasure(models.Model):
    """Somebody has asked for their account to be erased; the row goes with it."""

    user = models.OneToOneField(User, on_delete=models.CASCADE, primary_key=True, related_name="erasure")
    requested_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("erasure")
        verbose_name_plural = _("erasures")
        ordering = ["requested_at"]

    def __str__(self) -> str:
        return str(self.user)


class LegalPage(models.Model):
    """What binds whoever uses the studio: a page that staff edit. It comes with a first text."""

    slug = models.SlugField(primary_key=True, max_length=40)
    title = models.CharField(_("title"), max_length=80)
    text = models.TextField(_("text"), help_text=_("Markdown: headings, lists, links."))
    is_shown = models.BooleanField(_("shown"), default=True)
    position = models.PositiveSmallIntegerField(_("position"), default=0)
    updated_at = models.DateTimeField(_("last changed"), auto_now=True)

    class Meta:
        verbose_name = _("legal page")
        verbose_name_plural = _("legal pages")
        ordering = ["position", "slug"]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        """Where everybody reads it."""
        return reverse("legal_detail", args=[self.slug])
