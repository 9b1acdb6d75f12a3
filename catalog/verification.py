"""Telling of a file whether it was made here, by which model and under which licence.

What is told is what the file says and the studio's signature vouches for, and beside it only models that
whoever asks may see. So nobody learns of a private model, or of somebody's work, more than the file says.
"""

import hashlib
import threading
import warnings
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import IO

from django.contrib.auth.models import AnonymousUser
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from PIL import Image

from accounts.models import User
from catalog.exceptions import CatalogError
from catalog.manifests import folder_sha256
from catalog.models import CatalogModel, ModelFile, ModelVersion
from catalog.pictures import PictureLimits
from catalog.signing import known_keys
from engines.archives import READ_ERRORS, ArchiveLimits, file_infos, is_zip, open_archive, read_member
from engines.bundles import BUNDLE_FILE, MAX_CARD_BYTES, MODEL_FOLDER, parse_card
from engines.errors import EngineError
from engines.film_provenance import FilmRecord, is_film, read_film_record
from engines.provenance import Provenance, read_record
from engines.signing import Verdict, judge, judge_content

FORMATS = ("PNG", "JPEG", "WEBP")
_DECODER_ERRORS = (
    Image.DecompressionBombError, OSError, SyntaxError, ValueError, TypeError, LookupError, EOFError,
    ArithmeticError, MemoryError, RuntimeError,
)  # fmt: skip
_PIECE = 1 << 20
_BUNDLE = ArchiveLimits(max_entries=200, max_bytes=256 << 20)
# Of a web process's threads one decodes at a time: several of the largest pictures would take its memory.
_one_at_a_time = threading.Lock()


class Finding(StrEnum):
    """What can be said of a file, the best first."""

    UNCHANGED = "unchanged"
    CHANGED = "changed"
    UNSIGNED = "unsigned"
    NOTHING = "nothing"


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What was found.

    Attributes:
        finding: which of the four it is.
        is_model: the file holds a model, not a picture.
        is_film: it is a film, an animation or an archive of pictures.
        record: what the file says about its making, where it says anything.
        version: the version it names or is, where whoever asks may see it.
        elsewhere: it bears the signature of a key that is not this studio's.
    """

    finding: Finding
    is_model: bool = False
    is_film: bool = False
    record: Provenance | None = None
    version: ModelVersion | None = None
    elsewhere: bool = False


class CannotBeReadError(CatalogError):
    """The file is none that can be looked at."""


def verify_file(file: IO[bytes], viewer: User | AnonymousUser) -> Verification:
    """Look at a seekable file: a picture, a film, an archive of pictures, weights or a bundle.

    Raises CannotBeReadError with the reason.
    """
    start = file.read(16)
    file.seek(0)
    if is_film(start) or is_zip(file):
        told = read_film_record(file)
        if told is not None or is_film(start):
            return _verify_film(told, viewer)
        return _verify_bundle(file, viewer)
    if start.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")) or start[8:12] == b"WEBP":
        return _verify_picture(file, viewer)
    return _verify_weights(file, viewer)


def _verify_picture(file: IO[bytes], viewer: User | AnonymousUser) -> Verification:
    with _one_at_a_time:
        record, verdict = _read(file)
    return _told_of(record, verdict, viewer)


def _verify_film(told: FilmRecord | None, viewer: User | AnonymousUser) -> Verification:
    """A film, an animation or an archive of pictures; its content is compared, byte for byte."""
    if told is None:
        return Verification(finding=Finding.NOTHING)
    verdict = judge_content(told.record, told.content_sha256, known_keys())
    return replace(_told_of(told.record, verdict, viewer), is_film=True)


def _told_of(record: Provenance | None, verdict: Verdict, viewer: User | AnonymousUser) -> Verification:
    """What is said of a file with this record, which its signature judges so."""
    if record is None:
        return Verification(finding=Finding.NOTHING)
    version = _named_version(record, viewer)
    if verdict in {Verdict.UNCHANGED, Verdict.CHANGED}:
        return Verification(finding=Finding(verdict.value), record=record, version=version)
    if version is None:
        # What it says may be true or not: without a signature and a model of ours it is nothing to go by.
        return Verification(finding=Finding.NOTHING, elsewhere=verdict == Verdict.UNKNOWN_KEY)
    return Verification(finding=Finding.UNSIGNED, record=record, version=version)


def _read(file: IO[bytes]) -> tuple[Provenance | None, Verdict]:
    limits = PictureLimits.current()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(file, formats=FORMATS) as image:
                if image.width * image.height > limits.max_pixels:
                    raise CannotBeReadError(
                        _("This picture has more than %(limit)d megapixels, which is too large to look at.")
                        % {"limit": limits.max_pixels // 1_000_000}
                    )
                image.load()
                record = read_record(image)
                verdict = judge(record, image, known_keys()) if record else Verdict.UNSIGNED
    except _DECODER_ERRORS as error:
        raise CannotBeReadError(
            _("This picture is damaged. Take the file as it was handed out and try again.")
        ) from error
    return record, verdict


def _named_version(record: Provenance, viewer: User | AnonymousUser) -> ModelVersion | None:
    """The version that a record names by its hash, or by address and weights; None where it is not seen."""
    if record.version_sha256:
        return _visible(viewer).filter(sha256=record.version_sha256).first()
    if not record.model_sha256:
        return None
    named = ModelFile.objects.filter(sha256=record.model_sha256).values("version")
    return _visible(viewer).filter(pk__in=named).first()


def _verify_weights(file: IO[bytes], viewer: User | AnonymousUser) -> Verification:
    """A file of a model is known by its content alone: nobody can make another one with its SHA-256."""
    version = _visible(viewer).filter(files__sha256=_sha256(file)).first()
    if version is None:
        return Verification(finding=Finding.NOTHING)
    return Verification(finding=Finding.UNCHANGED, is_model=True, version=version)


def _verify_bundle(file: IO[bytes], viewer: User | AnonymousUser) -> Verification:
    """A bundle is what the hashes of the files in it say, whatever its card claims."""
    try:
        with open_archive(file, _BUNDLE) as archive:
            card = parse_card(read_member(archive, BUNDLE_FILE, max_bytes=MAX_CARD_BYTES))
            hashes = {}
            for info in file_infos(archive):
                if info.filename.startswith(f"{MODEL_FOLDER}/"):
                    with archive.open(info) as member:
                        hashes[info.filename.removeprefix(f"{MODEL_FOLDER}/")] = _sha256(member)
    except (EngineError, *READ_ERRORS):
        return Verification(finding=Finding.NOTHING)
    version = _visible(viewer).filter(sha256=folder_sha256(hashes)).first()
    if version is not None:
        return Verification(finding=Finding.UNCHANGED, is_model=True, version=version)
    claimed = _visible(viewer).filter(sha256=card.version_sha256).first()
    finding = Finding.UNSIGNED if claimed else Finding.NOTHING
    return Verification(finding=finding, is_model=True, version=claimed)


def _sha256(file: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while piece := file.read(_PIECE):
        digest.update(piece)
    return digest.hexdigest()


def _visible(viewer: User | AnonymousUser) -> QuerySet[ModelVersion]:
    models = CatalogModel.objects.visible_to(viewer)
    versions = ModelVersion.objects.filter(model__in=models).order_by("created_at")
    return versions.select_related("model__owner", "licence")
