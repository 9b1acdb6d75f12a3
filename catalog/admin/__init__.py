"""The catalog in Django admin: models, imports, licences, attributions, reviews and reports."""

from catalog.admin.imports import ModelImportAdmin
from catalog.admin.licences import AttributionAdmin, LicenceAdmin
from catalog.admin.models import CatalogModelAdmin
from catalog.admin.reviews import ModelReportAdmin, PublicationRequestAdmin

__all__ = [
    "AttributionAdmin",
    "CatalogModelAdmin",
    "LicenceAdmin",
    "ModelImportAdmin",
    "ModelReportAdmin",
    "PublicationRequestAdmin",
]
