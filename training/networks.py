"""Snapshots of experiments as networks that can be explored before they are models (`catalog.generators`)."""

import json
import shutil
import uuid
from functools import lru_cache
from pathlib import Path

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.core.files.storage import default_storage
from django.utils.translation import gettext as _

from accounts.models import User
from catalog.generators import Network, NetworkKind, Viewer, info_of
from engines.files import atomic_folder
from engines.manifest import GENERATOR_FILE, MODEL_FILE, ModelInfo
from jobs.files import fetch_folder
from training.models import Experiment, Snapshot

KIND = "snapshot"


def find_snapshot_network(number: uuid.UUID, viewer: Viewer) -> Network | None:
    """Return the network of a snapshot with weights, None where the viewer has none of that number."""
    snapshots = Snapshot.objects.exclude(folder="").select_related("experiment")
    if isinstance(viewer, AnonymousUser):
        return None
    if isinstance(viewer, User):
        snapshots = snapshots.filter(experiment__in=Experiment.objects.owned_by(viewer).values("pk"))
    snapshot = snapshots.filter(pk=number).first()
    if snapshot is None:
        return None
    try:
        return _network_of(snapshot)
    except FileNotFoundError:  # pruned meanwhile
        return None


def fetch_snapshot(number: uuid.UUID) -> Path:
    """Return the model folder of a snapshot on this machine, fetched once. Raises FileNotFoundError."""
    snapshot = Snapshot.objects.exclude(folder="").filter(pk=number).first()
    if snapshot is None:
        raise FileNotFoundError(number)
    folder: Path = settings.DATA_DIR / "cache" / "snapshots" / f"{snapshot.pk}-{snapshot.attempt}"
    if not folder.is_dir():
        with atomic_folder(folder) as draft:
            if not fetch_folder(snapshot.folder, draft):
                raise FileNotFoundError(snapshot.folder)
    return folder


def snapshots_beside(network: Network) -> list[tuple[str, str]]:
    """Return key and label of all snapshots of the same experiment that have weights, the oldest first."""
    number = uuid.UUID(network.key.partition(":")[2])
    of_experiment = Snapshot.objects.filter(experiment__snapshots=number).exclude(folder="").order_by("step")
    return [(network_key(pk), _label(step)) for pk, step in of_experiment.values_list("pk", "step")]


def network_key(number: uuid.UUID) -> str:
    """Return the key of a snapshot's network."""
    return f"{KIND}:{number}"


def sweep_fetched() -> None:
    """Remove the folders of snapshots that are gone from this machine; a chore."""
    root: Path = settings.DATA_DIR / "cache" / "snapshots"
    folders = {folder: folder.name[:36] for folder in root.glob("[0-9a-f]*-*")}
    kept = {str(pk) for pk in Snapshot.objects.filter(pk__in=folders.values()).values_list("pk", flat=True)}
    for folder, number in folders.items():
        if number not in kept:
            shutil.rmtree(folder, ignore_errors=True)


SNAPSHOTS = NetworkKind(find=find_snapshot_network, folder=fetch_snapshot, siblings=snapshots_beside)


def _network_of(snapshot: Snapshot) -> Network:
    info = _read_info(snapshot.folder)
    experiment = snapshot.experiment
    folders = experiment.snapshots.exclude(folder="").values_list("folder", flat=True)
    return Network(
        key=network_key(snapshot.pk),
        sha256=info.files[GENERATOR_FILE],
        title=experiment.name,
        label=_label(snapshot.step),
        info=info,
        version=None,
        owner_id=experiment.owner_id,
        is_public=False,
        training=experiment.job_id,
        # Snapshots of one training do not descend from each other; the same values mean similar things.
        relatives=frozenset(filter(None, map(_sha256_of, folders))),
        home=experiment.get_absolute_url(),
    )


def _label(step: int) -> str:
    return _("Step %(step)s") % {"step": f"{step:,}"}


def _sha256_of(folder: str) -> str:
    try:
        return _read_info(folder).files[GENERATOR_FILE]
    except FileNotFoundError:
        return ""


# A snapshot's folder names its attempt and step, and is written once.
@lru_cache(maxsize=512)
def _read_info(folder: str) -> ModelInfo:
    with default_storage.open(f"{folder}/{MODEL_FILE}") as file:
        return info_of(json.loads(file.read()))
