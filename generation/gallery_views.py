"""The gallery: everything ever made, and each picture with what made it."""

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import BadRequest
from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.files import serve_content, serve_file
from accounts.middleware import AccountHttpRequest
from accounts.models import User
from accounts.zips import zip_response
from generation import services
from generation.differences import differences, shown_settings
from generation.downloads import FORMATS, MAX_ZIP_PICTURES, convert, file_name, zip_entries
from generation.exceptions import CannotUpscaleError
from generation.models import Picture
from generation.provenance import from_json
from generation.remix import USES, picture_url, remix_url
from generation.selectors import BadCursorError, Cursor, newer_than, older_than, searched
from generation.upscaling import possible_upscales

PAGE_SIZE = 48
MAX_SEARCH_LENGTH = 200


@require_safe
@login_required
def list_pictures(request: AccountHttpRequest) -> HttpResponse:
    """Show the newest pictures, or those behind the cursor `after`; htmx gets the tiles alone."""
    pictures = _own_pictures(request)
    only_favourites = request.GET.get("show") == "favourites"
    if only_favourites:
        pictures = pictures.filter(is_favourite=True)
    sought = request.GET.get("q", "").replace("\0", "").strip()[:MAX_SEARCH_LENGTH]
    if sought:
        pictures = searched(pictures, sought)
    after = request.GET.get("after")
    if after is not None:
        pictures = older_than(pictures, _cursor(after))
    page = list(pictures[: PAGE_SIZE + 1])
    next_url = ""
    if len(page) > PAGE_SIZE:
        page.pop()
        query = {
            "after": str(Cursor.of(page[-1])),
            "show": "favourites" if only_favourites else "",
            "q": sought,
        }
        kept = {name: value for name, value in query.items() if value}
        next_url = f"{reverse('generation:picture_list')}?{urlencode(kept)}"
    context = {
        "pictures": page,
        "next_url": next_url,
        "only_favourites": only_favourites,
        "sought": sought,
        "is_first_page": after is None,
    }
    template = "generation/picture_list.html"
    if request.htmx:
        template += "#tiles" if after else "#found"
    return render(request, template, context)


def _cursor(text: str) -> Cursor:
    try:
        return Cursor.parse(text)
    except BadCursorError as error:
        raise BadRequest("cursor") from error


@require_safe
@login_required
def show_picture(request: AccountHttpRequest, pk: UUID) -> HttpResponse:
    """Show a picture with everything that made it."""
    picture = _own_picture(request, pk)
    place = Cursor.of(picture)
    record = from_json(picture.provenance)
    version = picture.generation.model_version
    context = {
        "picture": picture,
        "record": record,
        "version": version,
        "formats": list(FORMATS),
        "remix_url": remix_url(picture.generation, picture),
        "uses": _uses(request, picture),
        "settings": shown_settings(record),
        "as_text": record.parameters() if picture.generation.is_from_text else "",
        "newer": newer_than(_own_pictures(request), place).first(),
        "older": older_than(_own_pictures(request), place).first(),
    }
    return render(request, "generation/picture_detail.html", context)


def _uses(request: AccountHttpRequest, picture: Picture) -> dict[str, Any]:
    """Return what can be made from a picture: addresses, and larger copies, or why there are none."""
    uses: dict[str, Any] = {use: picture_url(picture, use) for use in USES}
    assert isinstance(request.user, User)  # behind login_required
    try:
        larger = possible_upscales(request.user, picture.width, picture.height)
    except CannotUpscaleError as error:
        return {**uses, "problem": str(error)}
    return {**uses, "larger": larger, "credits": services.quote_generation(1).credits}


@require_POST
@login_required
def choose_pictures(request: AccountHttpRequest) -> HttpResponse:
    """Go on to the comparison of the two pictures that were ticked, the earlier one first."""
    chosen = list(_own_pictures(request).filter(pk__in=_keys(request.POST.getlist("pictures")))[:3])
    if len(chosen) != 2:
        messages.error(request, _("Choose two images, then compare them."))
        return redirect("generation:picture_list")
    newer, older = chosen
    return redirect("generation:picture_compare", pk=older.pk, other=newer.pk)


@require_safe
@login_required
def compare_pictures(request: AccountHttpRequest, pk: UUID, other: UUID) -> HttpResponse:
    """Show two pictures over each other, and what differs in how they were made."""
    first, second = _own_picture(request, pk), _own_picture(request, other)
    context = {"first": first, "second": second, "differences": differences(first, second)}
    return render(request, "generation/picture_compare.html", context)


@require_safe
@login_required
def serve_picture(request: AccountHttpRequest, pk: UUID, ending: str) -> HttpResponseBase:
    """Serve a picture's file, as PNG as it was made or encoded anew; `?download=1` saves it."""
    picture = _own_picture(request, pk)
    name = file_name(picture, ending)
    content_type = FORMATS[ending][1]
    if ending == "png":
        return serve_file(request, picture.file, content_type=content_type, filename=name, immutable=True)
    try:
        content = convert(picture, ending)
    except FileNotFoundError as error:
        raise Http404 from error
    return serve_content(
        content, content_type=content_type, filename=name, download="download" in request.GET
    )


@require_POST
@login_required
def mark_favourite(request: AccountHttpRequest, pk: UUID) -> HttpResponse:
    """Make a picture a favourite (`favourite=1`) or no longer."""
    picture = _own_picture(request, pk)
    services.set_favourite(picture=picture, is_favourite=request.POST.get("favourite") == "1")
    if request.htmx:
        return render(request, "generation/picture_detail.html#favourite", {"picture": picture})
    return redirect("generation:picture_detail", pk=pk)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def delete_picture(request: AccountHttpRequest, pk: UUID) -> HttpResponse:
    """Ask, then delete a picture and its file."""
    picture = _own_picture(request, pk)
    if request.method != "POST":
        return render(request, "generation/picture_delete.html", {"picture": picture})
    following = older_than(_own_pictures(request), Cursor.of(picture)).first()
    services.delete_picture(picture=picture)
    messages.success(request, _("Deleted the image."))
    if following is not None:
        return redirect("generation:picture_detail", pk=following.pk)
    return redirect("generation:picture_list")


@require_POST
@login_required
def download_pictures(request: AccountHttpRequest) -> HttpResponseBase:
    """Send the chosen pictures as a ZIP. One that isn't the user's makes the whole request 404."""
    chosen = request.POST.getlist("pictures")
    if not chosen or len(chosen) > MAX_ZIP_PICTURES:
        messages.error(
            request,
            _("Choose 1 to %(max)d images, then download them.") % {"max": MAX_ZIP_PICTURES},
        )
        return redirect("generation:picture_list")
    pictures = _own_pictures(request).filter(pk__in=_keys(chosen))
    if pictures.count() != len(set(chosen)):
        raise Http404
    return zip_response(zip_entries(pictures.iterator(chunk_size=50)), "images.zip")


def _keys(values: list[str]) -> set[UUID]:
    try:
        return {UUID(value) for value in values}
    except ValueError as error:
        raise Http404 from error


def _own_pictures(request: AccountHttpRequest) -> QuerySet[Picture]:
    pictures: QuerySet[Picture] = Picture.objects.owned_by(request.user).select_related("generation")
    return pictures


def _own_picture(request: AccountHttpRequest, pk: UUID) -> Picture:
    pictures = _own_pictures(request).select_related(
        "generation__model_version__model__owner",
        "generation__adapter__model__owner",
        "generation__source_picture",
    )
    return get_object_or_404(pictures, pk=pk)
