"""The wizard, step by step: what it offers, keeps, refuses and starts; whose it is."""

from http import HTTPStatus

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.urls import reverse
from django.utils import timezone

from catalog.models import ModelVersion
from jobs.models import Machine, State
from training import services
from training.exceptions import ExperimentBusy
from training.models import Experiment, ExperimentDraft, Snapshot
from training.services.drafts import MAX_DRAFTS

HTMX = {"HTTP_HX_REQUEST": "true"}
MAX_QUERIES = 15
PAGES = ["draft_dataset", "draft_setup", "draft_start", "draft_delete"]


def url(name: str, *args: object) -> str:
    return reverse(f"training:{name}", args=args)


@pytest.fixture
def draft(dataset, owner) -> ExperimentDraft:
    """A draft of the owner's with a dataset and nothing else."""
    return services.create_draft(owner=owner, dataset=dataset)


@pytest.fixture
def chosen(starting_point_64) -> dict[str, object]:
    """What the setup form sends."""
    return {"start": str(starting_point_64.pk), "crop": "center", "mirror": "on", "steps": "200"}


@pytest.fixture
def ready(draft, chosen) -> ExperimentDraft:
    """A draft that can be started."""
    services.change_draft(draft=draft, choices=chosen)
    return draft


class TestAccess:
    @pytest.mark.parametrize("name", PAGES)
    def test_pages(self, name, ready, owner_client, stranger_client, client):
        page = url(name, ready.pk)
        assert owner_client.get(page).status_code == HTTPStatus.OK
        assert stranger_client.get(page).status_code == HTTPStatus.NOT_FOUND
        assert stranger_client.post(page).status_code == HTTPStatus.NOT_FOUND
        assert client.get(page)["Location"].startswith("/account/login/")
        assert owner_client.put(page).status_code == HTTPStatus.METHOD_NOT_ALLOWED

    def test_the_first_page_is_nobodys(self, licence, client, stranger_client):
        assert client.get(url("experiment_create")).status_code == HTTPStatus.FOUND
        assert b"First you need a dataset" in stranger_client.get(url("experiment_create")).content

    @pytest.mark.parametrize("name", PAGES)
    def test_few_queries(self, name, ready, owner_client, django_assert_max_num_queries):
        with django_assert_max_num_queries(MAX_QUERIES):
            owner_client.get(url(name, ready.pk))


class TestDataset:
    def test_offers_ones_own_with_a_verdict_and_the_samples(self, dataset, empty_dataset, owner_client):
        page = owner_client.get(url("experiment_create"), {"dataset": dataset.pk}).content.decode()
        assert f'value="{dataset.pk}" required checked' in page
        assert "Enough to train from a starting point" in page
        assert "Add 50 more" in page
        assert "Draw the cats and use them" in page

    def test_choosing_one_makes_a_draft(self, dataset, owner, owner_client):
        response = owner_client.post(url("experiment_create"), {"dataset": dataset.pk})
        draft = owner.experiment_drafts.get()
        assert response["Location"] == url("draft_setup", draft.pk)
        assert draft.dataset == dataset

    def test_another_can_be_chosen_and_nothing_else_is_lost(self, ready, make_dataset, owner, owner_client):
        second = make_dataset(owner, 50, "Stones")
        owner_client.post(url("draft_dataset", ready.pk), {"dataset": second.pk})
        ready.refresh_from_db()
        assert ready.dataset == second
        assert ready.choices["steps"] == "200"

    @pytest.mark.parametrize("value", ["", "not-a-uuid"])
    def test_nothing_chosen_is_said(self, value, dataset, owner_client):
        response = owner_client.post(url("experiment_create"), {"dataset": value})
        assert response.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
        assert b"hoose" in response.content
        assert not ExperimentDraft.objects.exists()

    def test_three_pictures_are_refused_beside_the_dataset(self, make_dataset, owner, owner_client):
        small = make_dataset(owner, 3, "Small")
        response = owner_client.post(url("experiment_create"), {"dataset": small.pk})
        assert response.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
        assert b"has 3 pictures" in response.content

    def test_somebody_elses_dataset_is_refused(self, dataset, make_dataset, stranger, stranger_client):
        make_dataset(stranger, 50)
        response = stranger_client.post(url("experiment_create"), {"dataset": dataset.pk})
        assert response.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
        assert b"There is no such dataset" in response.content

    def test_a_sample_comes_back_to_the_draft(self, draft, owner_client):
        sample = url("dataset_sample", "cats")
        response = owner_client.post(sample, {"next": "train", "draft": draft.pk})
        assert response["Location"].startswith(url("draft_dataset", draft.pk))
        response = owner_client.post(sample, {"next": "train", "draft": "x"})
        assert response["Location"].startswith(url("experiment_create"))

    def test_the_list_is_polled_while_pictures_are_made(self, licence, owner, owner_client):
        services.create_sample_dataset(owner=owner, family="cats", count=2)
        page = owner_client.get(url("experiment_create"))
        assert b'hx-trigger="every 2s"' in page.content
        rev = {"rev": page.context["rev"]}
        assert owner_client.get(url("experiment_create"), rev, **HTMX).status_code == HTTPStatus.NO_CONTENT
        fragment = owner_client.get(url("experiment_create"), {"rev": "0"}, **HTMX).content
        assert b"<html" not in fragment

    def test_too_many_drafts_are_refused(self, dataset, owner, owner_client):
        for _number in range(MAX_DRAFTS):
            services.create_draft(owner=owner, dataset=dataset)
        response = owner_client.post(url("experiment_create"), {"dataset": dataset.pk})
        assert response.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
        assert b"Start or delete one of them first" in response.content


class TestSetup:
    def test_offers_models_and_sizes_with_what_they_decide(
        self, draft, starting_point, starting_point_64, owner_client
    ):
        page = owner_client.get(url("draft_setup", draft.pk)).content.decode()
        assert "Tiny-64" in page
        assert 'value="3000"' in page
        for name in ("cpu64", "cpu64-hq", "gpu256", "gpu512", "gpu1024"):
            assert f'name="start" value="{name}"' in page
        assert "Makes 1024 px" in page
        assert "No machine here can hold it now" in page

    def test_a_large_machine_can_hold_what_a_small_one_cannot(self, draft, owner_client):
        Machine.objects.create(
            id=draft.pk, host="h", device="cuda", device_bytes=80 << 30, memory_bytes=0, cores=8,
            seen_at=timezone.now(),
        )  # fmt: skip
        page = owner_client.get(url("draft_setup", draft.pk)).content.decode()
        assert "No machine here can hold it now" not in page

    def test_the_crop_is_shown_on_ones_own_pictures(self, draft, owner_client):
        page = owner_client.get(url("draft_setup", draft.pk)).content.decode()
        assert page.count('class="cut"') == 4 * 3
        assert 'viewBox="0 0 64 64"' in page

    def test_what_was_chosen_is_kept(self, draft, chosen, owner_client):
        response = owner_client.post(url("draft_setup", draft.pk), chosen | {"name": "Beach", "mirror": ""})
        assert response["Location"] == url("draft_start", draft.pk)
        page = owner_client.get(url("draft_setup", draft.pk)).content.decode()
        assert 'value="Beach"' in page
        assert 'value="200"' in page

    def test_going_back_keeps_even_what_is_not_right_yet(self, draft, chosen, owner_client):
        response = owner_client.post(
            url("draft_setup", draft.pk), chosen | {"steps": "many", "name": "Beach", "go": "dataset"}
        )
        assert response["Location"] == url("draft_dataset", draft.pk)
        page = owner_client.get(url("draft_setup", draft.pk)).content.decode()
        assert 'value="many"' in page
        assert 'value="Beach"' in page
        assert "Enter a whole number" in page
        assert owner_client.get(url("draft_start", draft.pk))["Location"] == url("draft_setup", draft.pk)

    @pytest.mark.parametrize(
        ("field", "value", "message"),
        [
            ("steps", "0", "at least 10 steps"),
            ("steps", str(10**9), "at most 25,000 steps"),
            ("steps", "many", "Enter a whole number"),
            ("steps", "", "required"),
            ("crop", "spiral", "Select a valid choice"),
            ("seed", "-1", "greater than or equal to 0"),
            ("seed", str(2**40), "less than or equal to"),
            ("gamma", "nan", "Enter a number"),
            ("learning_rate", "5", "less than or equal to"),
            ("name", "x" * 81, "at most 80"),
            ("name", "bad\x07name", "cannot be shown"),
            ("start", "not-a-uuid", "no such starting point"),
            ("start", "", "Choose a starting point"),
        ],
    )
    def test_bad_values_come_back_beside_their_field(
        self, draft, chosen, field, value, message, owner_client
    ):
        response = owner_client.post(url("draft_setup", draft.pk), chosen | {field: value})
        assert response.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
        (error,) = response.context["form"].errors[field]
        assert message in error
        assert error.split("'")[0].encode()[:20] in response.content

    def test_somebody_elses_private_model_is_refused(self, chosen, make_dataset, stranger, stranger_client):
        own = services.create_draft(owner=stranger, dataset=make_dataset(stranger, 50))
        response = stranger_client.post(url("draft_setup", own.pk), chosen)
        assert response.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
        assert set(response.context["form"].errors) == {"start"}

    def test_the_estimate_follows_the_form(self, draft, chosen, owner_client):
        target = HTMX | {"HTTP_HX_TARGET": "estimate"}
        response = owner_client.get(url("draft_setup", draft.pk), chosen | {"steps": "20000"}, **target)
        assert b"<html" not in response.content
        assert b"20,000" in response.content
        assert response.context["cost"].credits == 200
        wide = owner_client.get(url("draft_setup", draft.pk), chosen | {"start": "gpu256"}, **target)
        assert b"256 px" in wide.content
        assert b"not measured yet" in wide.content

    def test_a_draft_whose_dataset_went_asks_for_another(self, ready, dataset, owner_client):
        services.delete_dataset(dataset=dataset)
        for name in ("draft_setup", "draft_start"):
            assert owner_client.get(url(name, ready.pk))["Location"] == url("draft_dataset", ready.pk)


class TestStart:
    def test_says_everything_and_what_is_held_first(self, ready, owner_client):
        page = owner_client.get(url("draft_start", ready.pk)).content.decode()
        assert "Start training, 2 credits" in page
        assert "Credits are held from snapshot to snapshot, 2 at first" in page
        assert "Center" in page

    def test_starts_it(self, ready, owner, starting_point_64, owner_client):
        response = owner_client.post(url("draft_start", ready.pk))
        experiment = Experiment.objects.get()
        assert response["Location"] == url("experiment_detail", experiment.pk)
        assert (experiment.owner, experiment.steps, experiment.mirror) == (owner, 200, True)
        assert experiment.starting_point == starting_point_64
        assert experiment.settings == {}
        assert experiment.job.state == State.QUEUED
        assert not ExperimentDraft.objects.exists()

    def test_a_second_click_starts_no_second_one(self, ready, owner_client):
        stale = ExperimentDraft.objects.select_related("dataset").get(pk=ready.pk)
        owner_client.post(url("draft_start", ready.pk))
        assert owner_client.post(url("draft_start", ready.pk)).status_code == HTTPStatus.NOT_FOUND
        with pytest.raises(ExperimentBusy, match="started already"):
            services.start_draft(draft=stale, continues=False, starting_point=None, steps=10)
        assert Experiment.objects.count() == 1

    def test_advanced_settings_win_over_the_preset(self, ready, chosen, owner_client):
        advanced = {"gamma": "0.5", "ada_target": "0", "freeze_d": "2", "snapshot_every": "50", "seed": "7"}
        services.change_draft(draft=ready, choices=chosen | advanced)
        owner_client.post(url("draft_start", ready.pk))
        experiment = Experiment.objects.get()
        assert experiment.seed == 7
        assert experiment.settings == {"gamma": 0.5, "ada_target": 0.0, "freeze_d": 2, "snapshot_every": 50}

    def test_from_scratch_in_the_chosen_size(self, ready, chosen, owner_client):
        services.change_draft(draft=ready, choices=chosen | {"start": "cpu64-hq"})
        owner_client.post(url("draft_start", ready.pk))
        experiment = Experiment.objects.get()
        assert (experiment.starting_point, experiment.preset) == (None, "cpu64-hq")

    def test_posted_owners_and_states_are_ignored(self, ready, owner, stranger, owner_client):
        owner_client.post(url("draft_start", ready.pk), {"owner": stranger.pk, "job": "x", "price": "0"})
        assert Experiment.objects.get().owner == owner

    def test_too_few_credits_leave_the_draft(self, ready, chosen, owner, owner_client):
        services.change_draft(draft=ready, choices=chosen | {"steps": "25000", "snapshot_every": "25000"})
        page = owner_client.get(url("draft_start", ready.pk)).content.decode()
        assert "Add 125 credits to begin" in page
        response = owner_client.post(url("draft_start", ready.pk))
        assert response.status_code == HTTPStatus.PAYMENT_REQUIRED
        assert ExperimentDraft.objects.filter(pk=ready.pk).exists()
        assert not Experiment.objects.exists()

    def test_a_dataset_that_is_being_filled_has_to_wait(self, ready, dataset, owner_client):
        services.add_files(dataset=dataset, arrived=[ContentFile(b"x", name="a.png")])
        page = owner_client.get(url("draft_start", ready.pk))
        assert b"The pictures are being made ready" in page.content
        shown = {"rev": page.context["filling"].rev}
        address = url("draft_start", ready.pk)
        assert owner_client.get(address, shown, **HTMX).status_code == HTTPStatus.NO_CONTENT
        assert b"<html" not in owner_client.get(address, {"rev": "x"}, **HTMX).content
        response = owner_client.post(address)
        assert response.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
        assert b"still being checked" in response.content


class TestDelete:
    def test_asks_then_deletes(self, draft, dataset, owner_client):
        assert b"only what you chose for it goes" in owner_client.get(url("draft_delete", draft.pk)).content
        assert owner_client.post(url("draft_delete", draft.pk))["Location"] == url("experiment_list")
        assert not ExperimentDraft.objects.exists()
        dataset.refresh_from_db()


class TestContinue:
    @pytest.fixture
    def snapshot(self, trained) -> Snapshot:
        """The last snapshot of a finished training."""
        return trained.snapshots.exclude(folder="").last()

    def test_is_the_owners_and_a_post(self, snapshot, owner_client, stranger_client, client):
        address = url("snapshot_continue", snapshot.experiment_id, snapshot.pk)
        assert stranger_client.post(address).status_code == HTTPStatus.NOT_FOUND
        assert client.post(address).status_code == HTTPStatus.FOUND
        assert owner_client.get(address).status_code == HTTPStatus.METHOD_NOT_ALLOWED
        other = url("snapshot_continue", snapshot.pk, snapshot.pk)
        assert owner_client.post(other).status_code == HTTPStatus.NOT_FOUND
        assert not ExperimentDraft.objects.exists()

    def test_goes_through_the_wizard_to_a_new_experiment(self, snapshot, trained, owner, owner_client):
        response = owner_client.post(url("snapshot_continue", trained.pk, snapshot.pk))
        draft = owner.experiment_drafts.get()
        assert response["Location"] == url("draft_setup", draft.pk)
        page = owner_client.get(url("draft_setup", draft.pk)).content.decode()
        assert f'value="snapshot:{snapshot.pk}" checked' in page
        assert "What it knew at step 8." in page
        chosen = {"start": f"snapshot:{snapshot.pk}", "crop": "center", "steps": "20"}
        owner_client.post(url("draft_setup", draft.pk), chosen)
        page = owner_client.get(url("draft_start", draft.pk)).content.decode()
        assert "Anew begin: the count of steps" in page
        owner_client.post(url("draft_start", draft.pk))
        second = Experiment.objects.get(continued_from=snapshot)
        trained.refresh_from_db()
        saved = ModelVersion.objects.get(model=trained.saved_model)
        assert second.starting_point == saved
        assert saved.model.visibility == "private"
        assert second.resolution == trained.resolution

    def test_another_starting_point_may_be_chosen_instead(self, snapshot, owner, owner_client):
        draft = services.continue_from(snapshot=snapshot)
        owner_client.post(url("draft_setup", draft.pk), {"start": "cpu64", "crop": "center", "steps": "20"})
        owner_client.post(url("draft_start", draft.pk))
        assert Experiment.objects.get(steps=20).continued_from is None

    def test_a_sample_has_nothing_to_continue_from(self, snapshot, trained, files, owner_client):
        grid = default_storage.save("jobs/x/grid.png", ContentFile(b"\x89PNG"))
        sample = Snapshot.objects.create(experiment=trained, step=9, attempt=1, images_seen=1, grid=grid)
        response = owner_client.post(url("snapshot_continue", trained.pk, sample.pk), follow=True)
        assert b"Choose a snapshot to continue from" in response.content
        assert not ExperimentDraft.objects.exists()
