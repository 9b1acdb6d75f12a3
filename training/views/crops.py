"""Pages on which one chooses how pictures are cut."""

from http import HTTPStatus
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import BadRequest
from django.db.models import Q
from django.http import Http404, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.files import serve_content
from training import crops, previews, selectors, services
from training.crop_forms import BatchCropForm, CutForm, DatasetCropForm, PictureCropForm
from training.exceptions import PicturesMissing
from training.models import Dataset, DatasetImage
from training.selectors.pictures import SHOW_OWN_CROP
from training.views.access import own_dataset
from training.views.requests import StudioRequest

_FORM_METHODS = ["GET", "HEAD", "POST"]
_REFUSED = HTTPStatus.UNPROCESSABLE_ENTITY


@require_http_methods(_FORM_METHODS)
@login_required
def show_crops(request: StudioRequest, pk: UUID) -> HttpResponse:
    """Show how a dataset's pictures are cut, and change it for all that have no way of their own.

    With `?crop=` it shows what another way would make of them, with `?after=` the pictures that follow, with
    `?show=own-crop` only those that have a crop of their own.
    """
    dataset = own_dataset(request, pk)
    if request.method == "POST":
        form = DatasetCropForm(request.POST)
        if not form.is_valid():
            return _show_crops(request, dataset, form)
        services.choose_crop(dataset=dataset, crop=form.cleaned_data["crop"])
        messages.success(request, _("Saved: %(crop)s.") % {"crop": dataset.get_crop_display()})
        chosen = urlencode({"resolution": form.cleaned_data["resolution"]})
        return redirect(f"{reverse('training:dataset_crop', args=[pk])}?{chosen}")
    if request.htmx and "after" in request.GET:
        context = {"dataset": dataset, "page": _page(request, dataset), "show": _show(request)}
        return render(request, "training/dataset_crop.html#pages", context)
    return _show_crops(request, dataset, DatasetCropForm({"crop": dataset.crop, **request.GET.dict()}))


def _show_crops(request: StudioRequest, dataset: Dataset, form: DatasetCropForm) -> HttpResponse:
    is_valid = form.is_valid()
    context = {"dataset": dataset, "form": form, "shown": []}
    if is_valid:
        chosen = form.cleaned_data
        context["shown"] = previews.show_crop(dataset, chosen["crop"], chosen["resolution"])
    status = HTTPStatus.OK if is_valid else _REFUSED
    if request.htmx:
        return render(request, "training/dataset_crop.html#preview", context, status=status)
    context |= {
        "own_count": crops.with_own_crop(dataset).count(),
        "batch": BatchCropForm(),
        "page": _page(request, dataset),
        "show": _show(request),
    }
    return render(request, "training/dataset_crop.html", context, status=status)


def _page(request: StudioRequest, dataset: Dataset) -> selectors.PicturePage:
    try:
        return selectors.picture_page(dataset, request.GET.get("after", ""), _show(request))
    except ValueError as error:
        raise BadRequest("a tampered cursor") from error


def _show(request: StudioRequest) -> str:
    return SHOW_OWN_CROP if request.GET.get("show") == SHOW_OWN_CROP else ""


@require_POST
@login_required
def cut_pictures(request: StudioRequest, pk: UUID) -> HttpResponse:
    """Cut the selected pictures another way, or as all are again."""
    dataset = own_dataset(request, pk)
    form = BatchCropForm(request.POST)
    try:
        # The page's script sends them in one field: a form takes only so many.
        pictures = {UUID(one) for value in request.POST.getlist("pictures") for one in value.split(",")}
    except ValueError as error:
        raise Http404 from error
    if not form.is_valid():
        return _answer_batch(request, dataset, [], str(form.errors["crop"][0]))
    if not pictures:
        return _answer_batch(request, dataset, [], _("Select at least one picture first."))
    try:
        changed = services.cut_pictures(dataset=dataset, pictures=pictures, crop=form.cleaned_data["crop"])
    except PicturesMissing as error:
        raise Http404 from error
    return _answer_batch(request, dataset, changed)


def _answer_batch(
    request: StudioRequest, dataset: Dataset, changed: list[DatasetImage], problem: str = ""
) -> HttpResponse:
    """Show the changed pictures, or why none was; without the page's script by its whole address again."""
    if problem:
        messages.error(request, problem)
    else:
        count = len(changed)
        sentence = ngettext("%(count)d picture is cut anew.", "%(count)d pictures are cut anew.", count)
        messages.success(request, sentence % {"count": count})
    if not request.htmx:
        return redirect("training:dataset_crop", dataset.pk)
    own_count = crops.with_own_crop(dataset).count()
    context = {"dataset": dataset, "changed": changed, "own_count": own_count, "is_live": True}
    return render(request, "training/dataset_crop.html#changed", context)


@require_http_methods(_FORM_METHODS)
@login_required
def edit_cut(request: StudioRequest, pk: UUID, image_pk: UUID) -> HttpResponse:
    """Cut one picture in a way of its own, or by hand. With `?crop=` it shows what that would make of it."""
    dataset = own_dataset(request, pk)
    picture = get_object_or_404(DatasetImage, pk=image_pk, dataset=dataset)
    if request.method == "POST":
        form = PictureCropForm(request.POST, picture=picture, dataset=dataset)
        if not form.is_valid():
            return _show_cut(request, dataset, picture, form)
        way = "" if form.box else form.cleaned_data["crop"]
        services.cut_picture(image=picture, crop=way, box=form.box)
        following = _neighbours(picture)[1] if "next" in request.POST else None
        if following:
            return redirect("training:image_crop", pk, following)
        messages.success(request, _("The crop of %(name)s is kept.") % {"name": picture.name})
        return redirect("training:dataset_crop", pk)
    if "crop" in request.GET:
        form = PictureCropForm(request.GET, picture=picture, dataset=dataset)
    else:
        as_it_is = PictureCropForm(picture=picture, dataset=dataset).initial
        form = PictureCropForm(as_it_is, picture=picture, dataset=dataset)
    return _show_cut(request, dataset, picture, form)


def _show_cut(
    request: StudioRequest, dataset: Dataset, picture: DatasetImage, form: PictureCropForm
) -> HttpResponse:
    context: dict[str, object] = {"dataset": dataset, "picture": picture, "form": form}
    is_valid = form.is_valid()
    if is_valid:
        chosen = form.cleaned_data
        context["cut"] = previews.show_cut(
            picture, chosen["crop"] or dataset.crop, chosen["resolution"], box=form.box
        )
    status = HTTPStatus.OK if is_valid else _REFUSED
    if request.htmx:
        return render(request, "training/dataset_crop_picture.html#preview", context, status=status)
    before, following = _neighbours(picture)
    context |= {
        "before": before,
        "following": following,
        "least": crops.least_side(picture),
        "ways": previews.ways_of(picture, form.ways, dataset.crop),
    }
    return render(request, "training/dataset_crop_picture.html", context, status=status)


def _neighbours(picture: DatasetImage) -> tuple[UUID | None, UUID | None]:
    """The pictures before and after one in its dataset's order, the newest first. Two queries."""
    others = DatasetImage.objects.filter(dataset=picture.dataset_id)
    at, key = picture.created_at, picture.pk
    newer = others.filter(Q(created_at__gt=at) | Q(created_at=at, pk__gt=key)).order_by("created_at", "id")
    older = others.filter(Q(created_at__lt=at) | Q(created_at=at, pk__lt=key)).order_by("-created_at", "-id")
    return newer.values_list("pk", flat=True).first(), older.values_list("pk", flat=True).first()


@require_safe
@login_required
def show_squares(request: StudioRequest, pk: UUID, image_pk: UUID) -> HttpResponseBase:
    """What training would see of a picture, as things stand or by `?crop=`: its squares side by side."""
    dataset = own_dataset(request, pk)
    picture = get_object_or_404(DatasetImage, pk=image_pk, dataset=dataset)
    form = CutForm(request.GET, picture=picture)
    if not form.is_valid():
        return HttpResponse(_("There is no such cut."), content_type="text/plain", status=_REFUSED)
    way = form.cleaned_data["crop"]
    boxes = crops.boxes_of(picture, way, form.box) if way else crops.boxes_in_force(picture, dataset.crop)
    try:
        squares = crops.squares(picture, boxes, form.cleaned_data["resolution"])
    except FileNotFoundError as error:
        raise Http404 from error
    # With a way, the address says all that the pixels depend on, and a stored picture never changes.
    return serve_content(
        crops.png_strip(squares),
        content_type="image/png",
        filename="squares.png",
        download=False,
        immutable=bool(way),
    )
