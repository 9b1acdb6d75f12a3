"""Mixing models, in a generate worker. Imports torch, so nothing in a web process may import it."""

import io
from functools import partial

import numpy as np
import torch
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from PIL import Image

from catalog.exceptions import BrokenModelError, NameTakenError
from catalog.files import materialise
from catalog.manifests import SAMPLE_GRID
from catalog.mixes import PREVIEW_COLUMNS, PREVIEW_SEEDS, PREVIEW_TRUNCATION, config_of, in_words
from catalog.models import CatalogModel, Derivation, ModelMix, ModelVersion
from catalog.selectors import licence
from catalog.services import publish_version, suggest_names
from catalog.services.mixes import show_preview
from engines.errors import EngineError
from engines.images import UInt8Array, grid
from engines.progress import Control
from engines.stylegan.mix import ModelPair
from jobs import warm
from jobs.context import JobContext, Outcome
from jobs.exceptions import JobError
from jobs.files import attempt_prefix

# Larger pictures are made smaller in a preview, which has nine of them in a row.
_PREVIEW_SIDE = 256
_QUALITY = 90
# What a training's sheet of samples has: seven columns, four rows.
_GRID_SEEDS, _GRID_COLUMNS = tuple(range(28)), 7


def preview_mix(context: JobContext) -> Outcome:
    """Store the same seeds in the first model, in the mix and in the second, one square under the other."""
    mix = _find(_mixes().filter(preview_job_id=context.job_id))
    try:
        pair = _pair(context, mix)
        if context.report(step=1, total=2) is Control.STOP:
            return Outcome(state="stopped")
        rows = pair.preview([config_of(mix)], PREVIEW_SEEDS, truncation_psi=PREVIEW_TRUNCATION)
    except EngineError as error:
        raise JobError(str(error)) from error
    key = f"{attempt_prefix(context.job)}preview.webp"
    stored = default_storage.save(key, ContentFile(_sheet(rows)))
    return Outcome(apply=partial(show_preview, job=context.job, key=stored))


def make_model(context: JobContext) -> Outcome:
    """Make the mix a private model of its owner's, whose lineage has both parents.

    An attempt after one that was killed finds the model that the earlier one made.
    """
    mix = _find(_mixes().filter(job_id=context.job_id))
    folder = context.workdir / "model"
    try:
        pair = _pair(context, mix)
        if context.report(step=1, total=2) is Control.STOP:
            return Outcome(state="stopped")
        pair.write(folder, config_of(mix), name=mix.title)
        pictures = pair.generator(config_of(mix)).images(_GRID_SEEDS, truncation_psi=PREVIEW_TRUNCATION)
    except EngineError as error:
        raise JobError(str(error)) from error
    Image.fromarray(grid(pictures, columns=_GRID_COLUMNS)).save(folder / SAMPLE_GRID)
    if context.report(step=2, total=2) is Control.STOP:
        return Outcome(state="stopped")
    try:
        version = _publish(context, mix)
    except NameTakenError as error:
        raise JobError(str(error.message)) from error
    with context.fenced():
        ModelMix.objects.filter(pk=mix.pk).update(model=version.model)
    return Outcome()


def _publish(context: JobContext, mix: ModelMix) -> ModelVersion:
    parents = [(version.source, Derivation.Role.MIX_PARENT) for version in (mix.first, mix.second)]
    known_limits = [version.model.known_limits for version in (mix.first, mix.second)]
    return publish_version(
        owner=mix.owner,
        folder=context.workdir / "model",
        name=suggest_names(owner=mix.owner, wanted=mix.title, count=1)[0],
        title=mix.title,
        licence=licence("own-work"),
        type=CatalogModel.Type.GENERATE,
        parents=parents,
        saved_from=context.job_id,
        tagline=in_words(config_of(mix)),
        training_data=_("It was mixed from two models and not trained itself: see its lineage for both."),
        known_limits="\n\n".join(dict.fromkeys(text for text in known_limits if text)),
    )


def _mixes() -> QuerySet[ModelMix]:
    return ModelMix.objects.select_related(
        "owner", "first__model", "first__source", "second__model", "second__source"
    )


def _find(mixes: QuerySet[ModelMix]) -> ModelMix:
    mix = mixes.first()
    if mix is None:
        raise JobError(_("One of the two models was deleted before they were mixed. Choose another one."))
    return mix


def _pair(context: JobContext, mix: ModelMix) -> ModelPair:
    """Both models, loaded: they stay for the next preview. Raises ModelError and JobError."""
    torch.set_num_threads(context.threads)
    try:
        folders = materialise(mix.first), materialise(mix.second)
    except BrokenModelError as error:
        raise JobError(str(error.message)) from error
    return warm.get(
        f"{mix.first.sha256} {mix.second.sha256}",
        lambda: ModelPair(*folders),
        mix.first.size_bytes + mix.second.size_bytes,
    )


def _sheet(rows: UInt8Array) -> bytes:
    """uint8 `[3, N, R, R, 3]` as WebP: three squares, one under the other."""
    squares = [grid(row, columns=PREVIEW_COLUMNS) for row in rows]
    sheet = Image.fromarray(np.concatenate(squares))
    side = rows.shape[2]
    if side > _PREVIEW_SIDE:
        size = (sheet.width * _PREVIEW_SIDE // side, sheet.height * _PREVIEW_SIDE // side)
        sheet = sheet.resize(size, Image.Resampling.LANCZOS)
    encoded = io.BytesIO()
    sheet.save(encoded, "WEBP", quality=_QUALITY)
    return encoded.getvalue()
