"""Pages on which publishers write their models' pages."""

from http import HTTPStatus
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods, require_POST

from accounts.receiving import UploadTooLarge, receive_files
from catalog.addresses import own_model
from catalog.exceptions import PictureNotTaken
from catalog.models import CatalogModel, ModelPicture
from catalog.page_forms import PageForm, people_forms
from catalog.pictures import PictureLimits
from catalog.services import pages

_MAX_CAPTION = 200


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def edit_model(request: HttpRequest, handle: str, name: str) -> HttpResponse:
    """Change the texts of an own model's page and who is named on it."""
    model = own_model(request, handle, name)
    data = request.POST if request.method == "POST" else None
    form, people = PageForm(data, instance=model), people_forms(model, data)
    status = HTTPStatus.OK
    if request.method == "POST":
        if form.is_valid() and people.is_valid():
            named = [person for line in people if (person := line.person())]
            pages.edit_page(model=model, texts=form.cleaned_data, people=named)
            messages.success(request, _("Saved."))
            return redirect("catalog:model_detail", handle, name)
        status = HTTPStatus.UNPROCESSABLE_ENTITY
    context = {
        "model": own_model(request, handle, name),
        "form": form,
        "people": people,
        "pictures": model.pictures.all(),
        "room": pages.MAX_PICTURES - model.pictures.count(),
    }
    return render(request, "catalog/model_edit.html", context, status=status)


@csrf_exempt  # the form's token is checked in `_add`, once the handler that counts bytes stands
@require_POST
@login_required
def add_pictures(request: HttpRequest, handle: str, name: str) -> HttpResponse:
    """Put pictures on an own model's page."""
    model = own_model(request, handle, name)
    limit = PictureLimits.current().max_picture_bytes
    try:
        receive_files(request, max_bytes=limit)
    except UploadTooLarge:
        told = _("The pictures together may have at most %(limit)d MB. Add them a few at a time.")
        messages.error(request, told % {"limit": limit >> 20})
        return _back(model)
    return _add(request, model)


@csrf_protect
def _add(request: HttpRequest, model: CatalogModel) -> HttpResponse:
    arrived = request.FILES.getlist("files")
    added = 0
    for file in arrived:
        try:
            pages.add_picture(model=model, file=file)
            added += 1
        except PictureNotTaken as refused:
            messages.error(request, f"{file.name}: {refused.message}")
    if added:
        told = ngettext("%(count)d picture added.", "%(count)d pictures added.", added)
        messages.success(request, told % {"count": added})
    elif not arrived:
        messages.error(request, _("Choose one or more pictures first."))
    return _back(model)


@require_POST
@login_required
def change_picture(request: HttpRequest, handle: str, name: str, pk: UUID) -> HttpResponse:
    """Describe a picture of an own model's page, move it or take it away, as the pressed button says."""
    model = own_model(request, handle, name)
    picture = get_object_or_404(ModelPicture, pk=pk, model=model)
    action = request.POST.get("action")
    if action == "remove":
        pages.remove_picture(picture=picture)
    elif action in ("earlier", "first"):
        pages.move_picture(picture=picture, to_front=action == "first")
    else:
        caption = " ".join(request.POST.get("caption", "").replace("\0", "").split())
        pages.describe_picture(picture=picture, caption=caption[:_MAX_CAPTION])
    return _back(model)


def _back(model: CatalogModel) -> HttpResponse:
    answer = redirect("catalog:model_edit", model.owner.handle, model.name)
    answer["Location"] += "#gallery"
    return answer
