"""Downloads of datasets, for use in other trainers."""

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http.response import HttpResponseBase
from django.utils.text import slugify
from django.views.decorators.http import require_safe

from accounts.files import serve_content
from accounts.zips import zip_response
from training.caption_files import Layout
from training.exports import dataset_files, metadata_file, text_files
from training.models import Dataset
from training.views.access import own_dataset
from training.views.requests import StudioRequest

_TYPES = {"jsonl": "application/jsonl", "csv": "text/csv"}


@require_safe
@login_required
def export_dataset(request: StudioRequest, pk: UUID, layout: Layout) -> HttpResponseBase:
    """Send the pictures with their captions as a ZIP, made while it is sent."""
    dataset = own_dataset(request, pk)
    return zip_response(dataset_files(dataset, layout), f"{_file_name(dataset)}.zip")


@require_safe
@login_required
def export_captions(request: StudioRequest, pk: UUID, layout: Layout) -> HttpResponseBase:
    """Send the captions alone: a metadata file, or a ZIP of text files."""
    dataset = own_dataset(request, pk)
    name = f"{_file_name(dataset)}-captions"
    if layout == "txt":
        return zip_response(text_files(dataset), f"{name}.zip")
    return serve_content(
        metadata_file(dataset, layout),
        content_type=f"{_TYPES[layout]}; charset=utf-8",
        filename=f"{name}.{layout}",
    )


def _file_name(dataset: Dataset) -> str:
    return slugify(dataset.name)[:60] or "dataset"
