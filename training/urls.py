"""Addresses of datasets, experiments and AI trainings; included at the root."""

from collections.abc import Callable

from django.http import HttpResponse
from django.urls import URLPattern, path, register_converter
from django.urls.converters import StringConverter

from training import services
from training.views import (
    ai_trainings,
    ai_wizard,
    captions,
    crops,
    datasets,
    experiments,
    exports,
    films,
    pictures,
    review,
    rights,
    uploads,
    withdrawals,
    wizard,
)


class PictureSize:
    """The three sizes in which a dataset's picture is served."""

    regex = "thumb|small|full"

    def to_python(self, value: str) -> str:
        """Return it as it is."""
        return value

    def to_url(self, value: str) -> str:
        """Return it as it is."""
        return value


class CaptionLayout(StringConverter):
    """The layouts of training.caption_files."""

    regex = "txt|jsonl|csv"


class AIPurpose(StringConverter):
    """What can be taught in an AI training."""

    regex = "character|style|object"


class LoraNaming(StringConverter):
    """The names in which a LoRA's file may hold its layers."""

    regex = "diffusers|kohya"


register_converter(PictureSize, "picture_size")
register_converter(AIPurpose, "ai_purpose")
register_converter(LoraNaming, "lora_naming")
register_converter(CaptionLayout, "caption_layout")


def steering(
    prefix: str, name: str, view: Callable[..., HttpResponse], *, resume: Callable[..., None]
) -> list[URLPattern]:
    """The addresses by which a kind of training is stopped, resumed and asked for something."""
    asked = {
        "stop": services.stop_training,
        "resume": resume,
        "sample": services.request_training_sample,
        "snapshot": services.request_training_snapshot,
    }
    return [
        path(f"{prefix}/<uuid:pk>/{word}/", view, {"service": service}, name=f"{name}_{word}")
        for word, service in asked.items()
    ]


app_name = "training"
urlpatterns = [
    path("datasets/", datasets.list_datasets, name="dataset_list"),
    path("datasets/new/", datasets.create_dataset, name="dataset_create"),
    path("datasets/sample/<slug:family>/", datasets.create_sample, name="dataset_sample"),
    path("datasets/<uuid:pk>/", datasets.show_dataset, name="dataset_detail"),
    path("datasets/<uuid:pk>/add/", uploads.add_files, name="dataset_add"),
    path("datasets/<uuid:pk>/known/", uploads.find_known, name="dataset_known"),
    path("datasets/<uuid:pk>/files/", uploads.show_results, name="dataset_files"),
    path("datasets/<uuid:pk>/delete/", datasets.delete_dataset, name="dataset_delete"),
    path(
        "datasets/<uuid:pk>/images/<uuid:image_pk>/<picture_size:size>",
        pictures.show_image,
        name="image_show",
    ),
    path("datasets/<uuid:pk>/edit/", datasets.edit_dataset, name="dataset_edit"),
    path("datasets/<uuid:pk>/images/<uuid:image_pk>/", pictures.show_picture, name="image_detail"),
    path("datasets/<uuid:pk>/images/remove/", pictures.remove_pictures, name="dataset_remove"),
    path("datasets/<uuid:pk>/alike/", pictures.show_groups, name="dataset_groups"),
    path("datasets/<uuid:pk>/alike/thin/", pictures.thin_groups, name="dataset_thin"),
    path("datasets/<uuid:pk>/alike/<uuid:group>/", pictures.settle_group, name="group_settle"),
    path("datasets/<uuid:pk>/crop/", crops.show_crops, name="dataset_crop"),
    path("datasets/<uuid:pk>/crop/pictures/", crops.cut_pictures, name="dataset_crop_pictures"),
    path("datasets/<uuid:pk>/images/<uuid:image_pk>/crop/", crops.edit_cut, name="image_crop"),
    path("datasets/<uuid:pk>/images/<uuid:image_pk>/cut.png", crops.show_squares, name="image_cut"),
    path("datasets/<uuid:pk>/captions/", captions.show_captions, name="dataset_captions"),
    path("datasets/<uuid:pk>/captions/words/", captions.save_words, name="dataset_caption_words"),
    path("datasets/<uuid:pk>/captions/change/", captions.change_captions, name="dataset_caption_change"),
    path("datasets/<uuid:pk>/captions/import/", captions.import_captions, name="dataset_caption_import"),
    path(
        "datasets/<uuid:pk>/captions/export/<caption_layout:layout>/",
        exports.export_captions,
        name="dataset_caption_export",
    ),
    path("datasets/<uuid:pk>/images/<uuid:image_pk>/caption/", captions.save_caption, name="image_caption"),
    path("datasets/<uuid:pk>/export/<caption_layout:layout>/", exports.export_dataset, name="dataset_export"),
    path("datasets/withdrawals/", withdrawals.list_withdrawals, name="withdrawal_list"),
    path("datasets/<uuid:pk>/rights/", rights.state_rights, name="dataset_rights"),
    path("datasets/<uuid:pk>/withdraw/", withdrawals.choose_picture, name="dataset_withdraw"),
    path(
        "datasets/<uuid:pk>/withdraw/<slug:sha256>/",
        withdrawals.withdraw_picture,
        name="dataset_withdraw_picture",
    ),
    path("datasets/<uuid:pk>/frozen/<slug:sha256>/", withdrawals.show_frozen, name="dataset_frozen"),
    path("ai-training/", ai_trainings.list_ai_trainings, name="ai_training_list"),
    path("ai-training/new/", ai_wizard.choose_type, name="ai_training_create"),
    path("ai-training/new/<ai_purpose:purpose>/", ai_wizard.choose_pictures, name="ai_training_pictures"),
    path("ai-training/drafts/<uuid:pk>/", ai_wizard.edit_dataset, name="ai_draft_dataset"),
    path("ai-training/drafts/<uuid:pk>/setup/", ai_wizard.edit_setup, name="ai_draft_setup"),
    path("ai-training/drafts/<uuid:pk>/keyword/", ai_wizard.check_keyword, name="ai_draft_keyword"),
    path("ai-training/drafts/<uuid:pk>/start/", ai_wizard.start_training, name="ai_draft_start"),
    path("ai-training/drafts/<uuid:pk>/delete/", ai_wizard.delete_draft, name="ai_draft_delete"),
    path("ai-training/<uuid:pk>/", ai_trainings.show_ai_training, name="ai_training_detail"),
    *steering(
        "ai-training", "ai_training", ai_trainings.steer_ai_training, resume=services.resume_ai_training
    ),
    path("ai-training/<uuid:pk>/delete/", ai_trainings.delete_ai_training, name="ai_training_delete"),
    path("ai-training/<uuid:pk>/compare/", ai_trainings.compare_snapshots, name="ai_training_compare"),
    path("ai-training/<uuid:pk>/nearest/", ai_trainings.show_nearest, name="ai_training_nearest"),
    path(
        "ai-training/<uuid:pk>/snapshots/<uuid:snapshot_pk>/grid.png",
        ai_trainings.show_grid,
        name="ai_snapshot_grid",
    ),
    path(
        "ai-training/<uuid:pk>/snapshots/<uuid:snapshot_pk>/save/",
        ai_trainings.save_snapshot,
        name="ai_snapshot_save",
    ),
    path(
        "ai-training/<uuid:pk>/snapshots/<uuid:snapshot_pk>/<lora_naming:naming>.safetensors",
        ai_trainings.download_lora,
        name="ai_snapshot_lora",
    ),
    path("experiments/", experiments.list_experiments, name="experiment_list"),
    path("experiments/new/", wizard.create_experiment, name="experiment_create"),
    path("experiments/drafts/<uuid:pk>/", wizard.edit_dataset, name="draft_dataset"),
    path("experiments/drafts/<uuid:pk>/setup/", wizard.edit_setup, name="draft_setup"),
    path("experiments/drafts/<uuid:pk>/start/", wizard.start_experiment, name="draft_start"),
    path("experiments/drafts/<uuid:pk>/delete/", wizard.delete_draft, name="draft_delete"),
    path("experiments/<uuid:pk>/", experiments.show_experiment, name="experiment_detail"),
    *steering("experiments", "experiment", experiments.steer_experiment, resume=services.resume_training),
    path("experiments/<uuid:pk>/delete/", experiments.delete_experiment, name="experiment_delete"),
    path("experiments/<uuid:pk>/review/", review.show_review, name="experiment_review"),
    path("experiments/<uuid:pk>/save/", review.save_model, name="experiment_save"),
    path("experiments/<uuid:pk>/compare/", review.compare_snapshots, name="experiment_compare"),
    path("experiments/<uuid:pk>/nearest/", review.show_nearest, name="experiment_nearest"),
    path("experiments/<uuid:pk>/film/", films.show_film, name="experiment_film"),
    path("experiments/<uuid:pk>/film/make/", films.make_film, name="experiment_film_make"),
    path("experiments/<uuid:pk>/film.mp4", films.serve_film, name="experiment_film_file"),
    path(
        "experiments/<uuid:pk>/snapshots/<uuid:snapshot_pk>/grid.png",
        experiments.show_grid,
        name="snapshot_grid",
    ),
    path(
        "experiments/<uuid:pk>/snapshots/<uuid:snapshot_pk>/continue/",
        wizard.continue_snapshot,
        name="snapshot_continue",
    ),
]
