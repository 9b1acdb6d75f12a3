"""The database refuses to change what a version is."""

import pytest
from django.db import IntegrityError, transaction

from catalog.models import Derivation, ModelFile, ModelVersion, Source


@pytest.mark.parametrize(
    ("table", "values"),
    [
        (ModelVersion, {"sha256": "0" * 64}),
        (ModelVersion, {"manifest": {}}),
        (ModelVersion, {"licence_id": "cc0-1.0"}),
        (ModelFile, {"sha256": "0" * 64}),
        (ModelFile, {"path": "other"}),
        (Source, {"sha256": "0" * 64}),
        (Source, {"licence_id": "cc0-1.0"}),
        (Source, {"kind": "dataset"}),
    ],
)
def test_update_is_refused(version, table, values):
    with pytest.raises(IntegrityError, match="immutable"), transaction.atomic():
        table.objects.update(**values)


def test_lineage_cannot_be_rewritten(publish, owner, version):
    publish(owner, "cats", seed=1, parents=[(version.source, Derivation.Role.STARTING_POINT)])
    with pytest.raises(IntegrityError, match="immutable"), transaction.atomic():
        Derivation.objects.update(role=Derivation.Role.BASE)


def test_label_of_a_source_may_change(version):
    assert Source.objects.update(label="Without a name") == 1
