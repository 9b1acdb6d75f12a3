"""Pages of AI trainings that were started, without a worker."""

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.urls import reverse
from django.utils import timezone
from PIL import Image

from jobs.files import list_keys
from jobs.models import Job, State
from tests.catalog.bases import write_tiny_lora
from training import services
from training.models import AISnapshot, AITraining, AITrainingStat

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


@pytest.fixture
def base(weightless_base):
    """Nothing here loads it."""
    return weightless_base


@pytest.fixture
def training(start_ai) -> AITraining:
    return start_ai()


@pytest.fixture
def done(training, base, tmp_path) -> AITraining:
    """The same training as if a worker had done it: two snapshots, the last one with a copy."""
    for step in (4, 8):
        folder = f"jobs/{training.job_id}/1/snapshots/{step:06d}"
        sheet = ContentFile(b"")
        Image.new("RGB", (256, 128), (step * 20, 100, 100)).save(sheet, format="PNG")
        default_storage.save(f"{folder}/grid.png", sheet)
        lora = tmp_path / f"{step}.safetensors"
        write_tiny_lora(lora, base, keyword=training.keyword, seed=step)
        default_storage.save(f"{folder}/lora.safetensors", ContentFile(lora.read_bytes()))
        AISnapshot.objects.create(
            training=training, step=step, attempt=1, grid=f"{folder}/grid.png", folder=folder,
            nearest=nearest(step),
        )  # fmt: skip
        AITrainingStat.objects.create(training=training, step=step, values={"loss": 1 / step})
    now = timezone.now()
    Job.objects.filter(pk=training.job_id).update(state=State.SUCCEEDED, step=8, finished_at=now)
    return AITraining.objects.get(pk=training.pk)


def nearest(step: int) -> list[dict[str, object]]:
    kept = {"sha256": "1" * 64, "distance": 0.9, "share": 0.9}
    return [{**kept, "is_suspect": False}, {**kept, "is_suspect": step == 8}]


def url(name: str, *args: object) -> str:
    return reverse(f"training:{name}", args=args)


class TestList:
    def test_nothing_yet(self, owner_client):
        assert b"What you teach will be here" in owner_client.get(url("ai_training_list")).content

    def test_by_how_far_they_are(self, owner_client, training, ai_dataset, owner):
        services.create_ai_draft(owner=owner, dataset=ai_dataset)
        page = owner_client.get(url("ai_training_list")).content.decode()
        assert page.index("In progress") < page.index("Not started")
        assert 'hx-trigger="every 5s"' in page

    def test_a_poll_is_204_until_something_changes(self, owner_client, training):
        page = owner_client.get(url("ai_training_list"))
        address = f"{url('ai_training_list')}?rev={page.context['rev']}"
        assert owner_client.get(address, headers=HTMX).status_code == 204
        services.stop_training(training=training)
        changed = owner_client.get(address, headers=HTMX).content.decode()
        assert "Completed" in changed

    def test_of_others_nothing_is_shown(self, stranger_client, training):
        assert b"Rex" not in stranger_client.get(url("ai_training_list")).content


class TestDetail:
    def test_while_it_waits(self, owner_client, training):
        page = owner_client.get(url("ai_training_detail", training.pk)).content.decode()
        assert "Step 0 of 8" in page
        assert "customrexmodel mug" in page
        assert "appear here with the first snapshot" in page
        assert 'hx-trigger="every 2s"' in page

    def test_when_it_is_done(self, owner_client, done):
        page = owner_client.get(url("ai_training_detail", done.pk)).content.decode()
        assert done.snapshots.last().grid_url in page
        assert "Sample 2 of step 8 is nearer to one of your pictures" in page
        assert "Make images with it" in page
        assert "Deleting refunds nothing" in page
        assert "Its pictures, as they were at the start" in page

    def test_the_page_asks_few_questions(self, owner_client, done, django_assert_max_num_queries):
        with django_assert_max_num_queries(15):
            owner_client.get(url("ai_training_detail", done.pk))

    def test_stop_cancels_what_waits(self, owner_client, training):
        assert owner_client.post(url("ai_training_stop", training.pk), headers=HTMX).status_code == 200
        assert Job.objects.get(pk=training.job_id).state == State.CANCELED

    def test_a_failed_one_can_be_resumed(self, owner_client, done):
        Job.objects.filter(pk=done.job_id).update(
            state=State.FAILED, delivered=4, price_charged=500, error="Out of memory."
        )
        page = owner_client.get(url("ai_training_detail", done.pk)).content.decode()
        assert "Out of memory." in page
        assert "The steps that are left take 500 and you have" in page
        assert "Resume tries the same steps again" in page

    def test_sample_of_one_that_does_not_run_is_refused(self, owner_client, done):
        owner_client.post(url("ai_training_sample", done.pk))
        page = owner_client.get(url("ai_training_detail", done.pk)).content.decode()
        assert "toast" in page


class TestSnapshots:
    def test_are_served_to_their_owner_alone(self, owner_client, stranger_client, client, done):
        for name, extra in (("ai_snapshot_grid", ()), ("ai_snapshot_lora", ("diffusers",))):
            address = url(name, done.pk, done.snapshots.last().pk, *extra)
            answer = owner_client.get(address)
            assert answer.status_code == 200
            answer.getvalue()
            assert stranger_client.get(address).status_code == 404
            assert client.get(address).status_code == 302
            assert owner_client.post(address).status_code == 405

    def test_names_that_its_base_does_not_have_are_not_there(self, owner_client, done):
        address = url("ai_snapshot_lora", done.pk, done.snapshots.last().pk, "kohya")
        assert owner_client.get(address).status_code == 404

    def test_saving_one_leads_to_making_images(self, owner_client, done, base):
        save = url("ai_snapshot_save", done.pk, done.snapshots.first().pk)
        response = owner_client.post(save, {"then": "generate"})
        model = AITraining.objects.get(pk=done.pk).saved_model
        wanted = f"adapter={model.owner.handle}%2F{model.name}&prompt=customrexmodel+mug"
        assert response["Location"].startswith("/generate/?base=")
        assert wanted in response["Location"]
        owner_client.post(url("ai_snapshot_save", done.pk, done.snapshots.last().pk))
        assert [version.manifest["step"] for version in model.versions.order_by("number")] == [4, 8]
        page = owner_client.get(url("ai_training_detail", done.pk)).content.decode()
        assert "Version 2 of your model" in page

    def test_two_are_compared(self, owner_client, done):
        page = owner_client.get(url("ai_training_compare", done.pk)).content.decode()
        assert page.count('class="cells"') == 2
        assert owner_client.get(url("ai_training_compare", done.pk), {"view": "divider"}).status_code == 200

    def test_the_nearest_pictures_are_shown(self, owner_client, done):
        page = owner_client.get(url("ai_training_nearest", done.pk)).content.decode()
        assert "1 of the 2 samples is nearer to a training picture" in page


class TestDelete:
    def test_says_what_goes_and_deletes(self, owner_client, done, django_capture_on_commit_callbacks):
        assert b"Deleting refunds nothing" in owner_client.get(url("ai_training_delete", done.pk)).content
        with django_capture_on_commit_callbacks(execute=True):
            owner_client.post(url("ai_training_delete", done.pk))
        assert not AITraining.objects.exists()
        assert not list_keys(f"jobs/{done.job_id}")

    def test_the_base_cannot_go_before(self, done, base):
        from training.dependents import describe_ai_trainings

        assert "1 AI training was made on this base" in describe_ai_trainings(base.model)

    def test_a_dataset_takes_its_trainings_pictures(self, training, ai_dataset):
        services.delete_dataset(dataset=ai_dataset)
        assert Job.objects.get(pk=training.job_id).state == State.CANCELED
