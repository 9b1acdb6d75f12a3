"""Django's entry to the jobs app."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class JobsConfig(AppConfig):
    """Names the app."""

    name = "jobs"
    verbose_name = _("Jobs")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Have idle workers that compute measure their machine; register e-mails and what Stripe tells."""
        from accounts.belongings import register_part  # noqa: PLC0415 - apps must be loaded
        from accounts.erasure import call_before_erasure  # noqa: PLC0415 - as above
        from billing.inbox import call_on_arrival  # noqa: PLC0415 - as above
        from jobs.billing_inbox import BILLING_INBOX, wake_for_event  # noqa: PLC0415 - as above
        from jobs.idle import register_idle_work  # noqa: PLC0415 - apps must be loaded
        from jobs.mail import END_MAIL  # noqa: PLC0415 - as above
        from jobs.models import Queue  # noqa: PLC0415 - as above
        from jobs.own_data import JOBS  # noqa: PLC0415 - as above
        from jobs.registry import register  # noqa: PLC0415 - as above
        from jobs.services import stop_all_jobs  # noqa: PLC0415 - as above
        from jobs.speed import Measurement  # noqa: PLC0415 - as above

        for queue in (Queue.TRAIN, Queue.GENERATE):
            register_idle_work(f"speed of {queue}", queue=queue, factory=Measurement)
        register(END_MAIL)
        register(BILLING_INBOX)
        call_on_arrival(wake_for_event)
        call_before_erasure("jobs", stop_all_jobs)
        register_part(JOBS)
