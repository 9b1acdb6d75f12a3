"""Django's entry to the generation app."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class GenerationConfig(AppConfig):
    """Names the app, its kind of job and what of it depends on models."""

    name = "generation"
    verbose_name = _("Generation")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Tell the floors below what they cannot know."""
        from accounts.belongings import register_part  # noqa: PLC0415 - apps must be loaded
        from catalog.registry import (  # noqa: PLC0415 - as above
            Dependents,
            PagePart,
            register_dependents,
            register_page_part,
            register_pictures,
            register_uses,
        )
        from generation.dependents import describe_pictures  # noqa: PLC0415 - as above
        from generation.explore.cache import PREFIX as LOOKS  # noqa: PLC0415 - as above
        from generation.explore.cache import keys_in_use as looks_in_use  # noqa: PLC0415 - as above
        from generation.explore.cache import trim_cache  # noqa: PLC0415 - as above
        from generation.explore.looks import JOB_KIND as LOOK_JOB_KIND  # noqa: PLC0415 - as above
        from generation.explore.looks import forget_failures  # noqa: PLC0415 - as above
        from generation.explore.memorising import tell_memorisation  # noqa: PLC0415 - as above
        from generation.explore.registering import register_points  # noqa: PLC0415 - as above
        from generation.explore.walks import register_walks  # noqa: PLC0415 - as above
        from generation.own_data import GENERATION  # noqa: PLC0415 - as above
        from generation.run_family import register_families  # noqa: PLC0415 - as above
        from generation.selectors import (  # noqa: PLC0415 - as above
            count_uses,
            find_picture_file,
            keys_in_use,
            starts_in_use,
        )
        from generation.services import (  # noqa: PLC0415 - as above
            JOB_KIND,
            MAX_TOGETHER,
            TEXT_JOB_KIND,
            TEXT_MAX_TOGETHER,
            UPSCALE_JOB_KIND,
        )
        from generation.starts import PREFIX as STARTS  # noqa: PLC0415 - as above
        from jobs.models import Queue  # noqa: PLC0415 - as above
        from jobs.registry import JobKind, register  # noqa: PLC0415 - as above
        from jobs.sweeps import StoredFiles, register_chore, register_files  # noqa: PLC0415 - as above

        register_families()
        register_walks()
        register_points()
        register_uses("pictures", count_uses)
        register(
            JobKind(
                name=JOB_KIND,
                queue=Queue.GENERATE,
                handler="generation.jobs.make_pictures",
                compute="generation.jobs.make_together",
                batch_size=MAX_TOGETHER,
                may_relax=True,
                title=_("Making images"),
            )
        )
        register(
            JobKind(
                name=TEXT_JOB_KIND,
                queue=Queue.GENERATE,
                handler="generation.text_jobs.make_from_text",
                compute="generation.stages.make_together",
                hands_over=True,
                batch_size=TEXT_MAX_TOGETHER,
                may_relax=True,
                title=_("Text to Image"),
            )
        )
        register(
            JobKind(
                name=UPSCALE_JOB_KIND,
                queue=Queue.GENERATE,
                handler="generation.upscale_jobs.make_larger",
                may_relax=True,
                title=_("Making an image larger"),
            )
        )
        register(
            JobKind(
                name=LOOK_JOB_KIND,
                queue=Queue.GENERATE,
                handler="generation.explore.look_jobs.make_looks",
                on_end="generation.explore.looks.note_end",
                takes_no_turn=True,
                title=_("Pictures to look at"),
            )
        )
        register_files(StoredFiles(name="looks", prefix=LOOKS, in_use=looks_in_use))
        register_chore("cache of looks", trim_cache)
        register_chore("failed looks", forget_failures)
        register_page_part(
            PagePart(
                name="memorisation", template="generation/model_memorisation.html", tell=tell_memorisation
            )
        )
        register_dependents(Dependents(name="pictures", describe=describe_pictures))
        register_pictures("picture", find_picture_file)
        register_files(StoredFiles(name="generation", prefix="jobs", in_use=keys_in_use))
        register_files(StoredFiles(name="starts", prefix=STARTS, in_use=starts_in_use))
        register_part(GENERATION)
