"""Django's entry to the catalog app."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CatalogConfig(AppConfig):
    """Names the app."""

    name = "catalog"
    verbose_name = _("Catalog")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Say which stored files are the catalog's, and that trained models need their base."""
        from accounts.belongings import register_part  # noqa: PLC0415 - apps must be loaded
        from accounts.erasure import call_before_erasure  # noqa: PLC0415 - as above
        from catalog import mixes, runs  # noqa: PLC0415 - as above
        from catalog.bundle_parts import tell_bundle  # noqa: PLC0415 - as above
        from catalog.dependents import describe_trained  # noqa: PLC0415 - apps must be loaded
        from catalog.files import CacheTidying, keys_in_use, remove_keys  # noqa: PLC0415 - as above
        from catalog.letters import LETTER  # noqa: PLC0415 - as above
        from catalog.model_pictures import PREFIX as PICTURES  # noqa: PLC0415 - as above
        from catalog.model_pictures import keys_in_use as pictures_in_use  # noqa: PLC0415 - as above
        from catalog.own_data import CATALOG  # noqa: PLC0415 - as above
        from catalog.registry import (  # noqa: PLC0415 - as above
            Dependents,
            PagePart,
            register_dependents,
            register_page_part,
            register_pictures,
            register_uses,
        )
        from catalog.services import exports, imports  # noqa: PLC0415 - as above
        from catalog.services import mixes as mixing  # noqa: PLC0415 - as above
        from catalog.services.reviews import forget_reporter  # noqa: PLC0415 - as above
        from catalog.services.runs import JOB_KIND as RUN  # noqa: PLC0415 - as above
        from catalog.services.uses import recount_uses  # noqa: PLC0415 - as above
        from jobs.idle import register_idle_work  # noqa: PLC0415 - as above
        from jobs.models import Queue  # noqa: PLC0415 - as above
        from jobs.registry import JobKind, register  # noqa: PLC0415 - as above
        from jobs.sweeps import StoredFiles, register_chore, register_files  # noqa: PLC0415 - as above

        register(
            JobKind(
                name=imports.JOB_KIND,
                queue=Queue.LIGHT,
                handler="catalog.import_jobs.run_import",
                on_end="catalog.services.imports.note_import_end",
                title=_("Importing a model"),
            )
        )
        register(
            JobKind(
                name=RUN,
                queue=Queue.GENERATE,
                handler="catalog.run_jobs.run_models",
                cost="catalog.services.runs.cost_of",
                on_end="catalog.services.runs.note_run_end",
                title=_("Running a model"),
            )
        )
        register(
            JobKind(
                name=mixing.PREVIEW_KIND,
                queue=Queue.GENERATE,
                handler="catalog.mix_jobs.preview_mix",
                title=_("Previewing a mix of models"),
            )
        )
        register(
            JobKind(
                name=mixing.MIX_KIND,
                queue=Queue.GENERATE,
                handler="catalog.mix_jobs.make_model",
                title=_("Mixing models"),
            )
        )
        register_files(StoredFiles(name="previews of mixes", prefix="jobs", in_use=mixes.keys_in_use))
        register_chore("old mixes", mixing.forget_old_mixes)
        register_dependents(Dependents(name="mixes", describe=mixes.describe_mixes))
        register(LETTER)
        call_before_erasure("catalog", forget_reporter)
        register_pictures(runs.OWN_RESULTS, runs.find_result)
        register_files(StoredFiles(name="runs", prefix=runs.PREFIX, in_use=runs.keys_in_use))
        register_files(StoredFiles(name="results of runs", prefix="jobs", in_use=runs.keys_in_use))
        register_files(StoredFiles(name="imports", prefix=imports.PREFIX, in_use=imports.keys_in_use))
        register(
            JobKind(
                name=exports.JOB_KIND,
                queue=Queue.LIGHT,
                handler="catalog.export_jobs.export_onnx",
                title=_("Making an ONNX file"),
            )
        )
        register_files(StoredFiles(name="exports", prefix=exports.PREFIX, in_use=exports.keys_in_use))
        register_page_part(
            PagePart(name="bundle", template="catalog/model_bundle.html", tell=tell_bundle, tab="files")
        )
        register_uses("runs", runs.count_uses)
        register_chore("uses of models", recount_uses)
        register_files(StoredFiles(name="model pictures", prefix=PICTURES, in_use=pictures_in_use))
        register_files(StoredFiles(name="catalog", prefix="weights", in_use=keys_in_use, remove=remove_keys))
        for queue in Queue:
            register_idle_work(f"cache of models, {queue}", queue=queue, factory=CacheTidying)
        register_dependents(Dependents(name="trained models", describe=describe_trained, blocks=True))
        register_part(CATALOG)
