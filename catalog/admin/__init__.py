"""The catalog in Django admin: models, licences, attributions, reviews and reports."""

from catalog.admin.licences import AttributionAdmin, LicenceAdmin
from catalog.admin.models import CatalogModelAdmin
from catalog.admin.reviews import ModelReportAdmin, PublicationRequestAdmin

__all__ = [
    "AttributionAdmin",
    "CatalogModelAdmin",
    "LicenceAdmin",
    "ModelReportAdmin",
    "PublicationRequestAdmin",
]
