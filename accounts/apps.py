"""Django's entry to the accounts app."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AccountsConfig(AppConfig):
    """Names the app."""

    name = "accounts"
    verbose_name = _("Accounts")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Have the account itself taken along with what is in it."""
        from accounts.belongings import register_part  # noqa: PLC0415 - apps must be loaded
        from accounts.own_data import ACCOUNT  # noqa: PLC0415 - as above

        register_part(ACCOUNT)
