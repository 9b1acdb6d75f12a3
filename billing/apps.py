"""Django's entry to the billing app."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class BillingConfig(AppConfig):
    """Names the app."""

    name = "billing"
    verbose_name = _("Billing")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Have nobody erased who still pays."""
        from accounts.belongings import register_part  # noqa: PLC0415 - apps must be loaded
        from accounts.erasure import call_before_erasure  # noqa: PLC0415 - as above
        from billing.closing import end_purchases  # noqa: PLC0415 - as above
        from billing.own_data import BILLING  # noqa: PLC0415 - as above

        call_before_erasure("billing", end_purchases)
        register_part(BILLING)
