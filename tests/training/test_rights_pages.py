"""Stating rights, withdrawing pictures, and what the wizard and the pages of models make of it."""

import pytest
from django.urls import reverse

from accounts.models import User
from billing.models import Plan
from catalog.models import CatalogModel, Licence, ModelRun, Visibility
from jobs.models import Job
from training import quotas, services
from training.exceptions import RightsMissing, StorageFull
from training.models import Dataset, ExperimentDraft, Withdrawal

STATED = {"source_note": "I took them myself.", "licence": "own-work", "people": "none"}
MAX_QUERIES = 15


def url(name: str, *args: object) -> str:
    return reverse(f"training:{name}", args=args)


@pytest.fixture
def unstated(dataset: Dataset) -> Dataset:
    """A dataset of 50 pictures of which nothing was said."""
    Dataset.objects.filter(pk=dataset.pk).update(rights_stated_at=None, source_note="", people="")
    dataset.refresh_from_db()
    return dataset


class TestStating:
    def test_nothing_is_trained_before(self, unstated):
        with pytest.raises(RightsMissing, match="say where the pictures come from"):
            services.freeze_version(dataset=unstated, crop="center")

    def test_then_it_may_be(self, unstated, owner_client):
        response = owner_client.post(url("dataset_rights", unstated.pk), STATED, follow=True)
        assert response.redirect_chain == [(url("dataset_detail", unstated.pk), 302)]
        assert "Your rights are stated" in response.content.decode()
        unstated.refresh_from_db()
        assert (unstated.source_note, unstated.people) == ("I took them myself.", "none")
        assert unstated.rights_stated_at is not None
        assert services.freeze_version(dataset=unstated, crop="center").count == 50

    @pytest.mark.parametrize("missing", list(STATED))
    def test_all_of_it_is_required(self, unstated, owner_client, missing):
        response = owner_client.post(url("dataset_rights", unstated.pk), {**STATED, missing: ""})
        assert response.status_code == 422
        assert response.context["form"].errors.keys() == {missing}
        unstated.refresh_from_db()
        assert unstated.rights_stated_at is None

    @pytest.mark.parametrize(
        "wrong", [{"licence": "no-such"}, {"people": "perhaps"}, {"source_note": "x" * 1001}]
    )
    def test_what_is_no_choice_is_refused(self, unstated, owner_client, wrong):
        assert owner_client.post(url("dataset_rights", unstated.pk), STATED | wrong).status_code == 422

    def test_the_licence_goes_into_the_lineage(self, unstated, owner_client):
        owner_client.post(url("dataset_rights", unstated.pk), STATED | {"licence": "cc-by-nc-4.0"})
        version = services.freeze_version(dataset=Dataset.objects.get(pk=unstated.pk), crop="center")
        assert version.licence_id == version.source.licence_id == "cc-by-nc-4.0"

    def test_a_licence_that_forbids_it_is_kept_and_nothing_trained(self, unstated, owner_client):
        form = STATED | {"licence": "all-rights-reserved"}
        response = owner_client.post(url("dataset_rights", unstated.pk), form, follow=True)
        assert "nothing new may be made of the pictures" in response.content.decode()
        with pytest.raises(RightsMissing, match="All rights reserved"):
            services.freeze_version(dataset=Dataset.objects.get(pk=unstated.pk), crop="center")

    def test_samples_come_stated(self, owner, licence):
        sample = services.create_sample_dataset(owner=owner, family="cats", count=1)
        assert (sample.people, sample.licence_id) == ("none", "cc0-1.0")
        assert sample.rights_stated_at

    def test_text_is_escaped(self, unstated, owner_client):
        form = STATED | {"source_note": "<script>alert(1)</script>"}
        owner_client.post(url("dataset_rights", unstated.pk), form)
        page = owner_client.get(url("dataset_rights", unstated.pk)).content.decode()
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert" in page


class TestComingBack:
    def test_the_wizard_leads_there_and_back(self, unstated, owner_client):
        wizard = url("experiment_create")
        refused = owner_client.post(wizard, {"dataset": str(unstated.pk)})
        assert refused.status_code == 422
        address = refused.context["rights_url"]
        assert address in refused.content.decode()
        page = owner_client.get(address)
        following = page.context["following"]
        assert following == f"{wizard}?dataset={unstated.pk}"
        done = owner_client.post(address, STATED | {"next": following})
        assert done["Location"] == following
        assert owner_client.post(wizard, {"dataset": str(unstated.pk)}).status_code == 302

    def test_so_does_the_page_before_the_start(self, unstated, owner_client, owner):
        draft = ExperimentDraft.objects.create(
            owner=owner, dataset=unstated, choices={"start": "cpu64", "crop": "center", "steps": "100"}
        )
        page = owner_client.get(url("draft_start", draft.pk)).content.decode()
        assert f"{url('dataset_rights', unstated.pk)}?next={url('draft_start', draft.pk)}" in page
        assert owner_client.post(url("draft_start", draft.pk)).status_code == 422

    @pytest.mark.parametrize("address", ["//evil.example/", "https://evil.example/", "javascript:alert(1)"])
    def test_nobody_is_led_elsewhere(self, unstated, owner_client, address):
        done = owner_client.post(url("dataset_rights", unstated.pk), STATED | {"next": address})
        assert done["Location"] == url("dataset_detail", unstated.pk)


class TestWithdrawing:
    def test_from_the_name_to_the_record(self, trained, dataset, owner_client):
        services.save_model(experiment=trained)
        image = dataset.images.first()
        found = owner_client.get(url("dataset_withdraw", dataset.pk), {"q": image.name})
        assert [one.pk for one in found.context["pictures"]] == [image.pk]
        address = url("dataset_withdraw_picture", dataset.pk, image.sha256)
        page = owner_client.get(address).content.decode()
        for name in (trained.name, trained.saved_model or CatalogModel.objects.latest("created_at")):
            assert str(name) in page
        assert dataset.images.filter(pk=image.pk).exists()
        assert owner_client.post(address)["Location"] == url("dataset_withdraw", dataset.pk)
        assert not dataset.images.filter(pk=image.pk).exists()
        assert "This picture was withdrawn" in owner_client.get(address).content.decode()
        record = owner_client.get(url("withdrawal_list")).content.decode()
        assert image.sha256[:12] in record

    def test_every_page_has_few_queries(self, trained, dataset, owner_client, django_assert_max_num_queries):
        services.save_model(experiment=trained)
        image = dataset.images.first()
        for address in (
            url("dataset_rights", dataset.pk),
            url("dataset_withdraw", dataset.pk),
            url("dataset_withdraw_picture", dataset.pk, image.sha256),
            url("dataset_delete", dataset.pk),
            url("withdrawal_list"),
        ):
            with django_assert_max_num_queries(MAX_QUERIES):
                assert owner_client.get(address).status_code == 200

    def test_one_that_was_taken_out_is_offered_too(self, dataset, owner_client):
        services.freeze_version(dataset=dataset, crop="center")
        image = dataset.images.first()
        services.remove_image(image=image)
        page = owner_client.get(url("dataset_withdraw", dataset.pk))
        assert [one.sha256 for one in page.context["taken_out"]] == [image.sha256]
        shown = owner_client.get(url("dataset_frozen", dataset.pk, image.sha256))
        assert b"".join(shown.streaming_content).startswith(b"\x89PNG")
        owner_client.post(url("dataset_withdraw_picture", dataset.pk, image.sha256))
        assert owner_client.get(url("dataset_frozen", dataset.pk, image.sha256)).status_code == 404
        assert owner_client.get(url("dataset_withdraw", dataset.pk)).context["taken_out"] == []

    def test_an_unknown_picture_is_not_found(self, dataset, owner_client):
        assert owner_client.get(url("dataset_withdraw_picture", dataset.pk, "0" * 64)).status_code == 404

    def test_others_see_nothing_of_it(self, dataset, stranger_client):
        image = dataset.images.first()
        assert (
            stranger_client.post(url("dataset_withdraw_picture", dataset.pk, image.sha256)).status_code == 404
        )
        assert dataset.images.filter(pk=image.pk).exists()

    def test_models_say_so_to_everybody(self, trained, dataset, owner, client):
        model = services.save_model(experiment=trained).model
        CatalogModel.objects.filter(pk=model.pk).update(visibility=Visibility.PUBLIC)
        address = reverse("catalog:model_detail", args=[owner.handle, model.name])
        assert "was withdrawn" not in client.get(address).content.decode()
        for image in dataset.images.all()[:2]:
            services.withdraw_picture(dataset=dataset, sha256=image.sha256, actor=owner)
        page = client.get(address).content.decode()
        assert "A picture of the training data was withdrawn. This was noted 2 times" in page
        lineage = client.get(reverse("catalog:model_lineage", args=[owner.handle, model.name]))
        assert "A private dataset" in lineage.content.decode()

    def test_one_that_is_done_says_so_too(self, trained, dataset, owner, owner_client):
        services.withdraw_picture(dataset=dataset, sha256=dataset.images.first().sha256, actor=owner)
        page = owner_client.get(url("experiment_detail", trained.pk)).content.decode()
        assert "A picture of this training was withdrawn since." in page

    def test_the_experiment_says_why_it_cannot_go_on(self, trained, dataset, owner, owner_client):
        trained.job.state = "stopped"
        trained.job.save()
        services.withdraw_picture(dataset=dataset, sha256=dataset.images.first().sha256, actor=owner)
        page = owner_client.get(url("experiment_detail", trained.pk)).content.decode()
        assert "A picture of this training was withdrawn, so it cannot go on." in page
        assert url("experiment_resume", trained.pk) not in page
        assert Withdrawal.objects.count() == 1


class TestReports:
    def test_the_frozen_report_is_on_experiment_and_model(self, trained, dataset, owner, owner_client):
        model = services.save_model(experiment=trained).model
        services.remove_pictures(dataset=dataset, pictures=[image.pk for image in dataset.images.all()[:40]])
        for address in (
            url("experiment_detail", trained.pk),
            reverse("catalog:model_detail", args=[owner.handle, model.name]),
        ):
            page = owner_client.get(address).content.decode()
            assert "Usable pictures" in page
            assert "<strong>50</strong>" in page


class TestStorage:
    @pytest.fixture
    def small_plan(self, db: None) -> None:
        Plan.objects.update(storage_bytes=200_000)

    def test_it_counts_datasets_and_models(self, dataset, starting_point, owner: User, stranger):
        storage = quotas.storage_of(owner)
        assert storage.datasets == dataset.size_bytes
        assert storage.models == starting_point.size_bytes
        assert quotas.storage_of(stranger).used == 0

    def test_it_counts_what_runs_made(self, owner, small_plan, owner_client, licence):
        job = Job.objects.create(owner=owner, kind="catalog.run", queue="generate", state="succeeded")
        ModelRun.objects.create(owner=owner, job=job, title="Cats", count=1, size_bytes=200_000)
        assert quotas.storage_of(owner).runs == 200_000
        with pytest.raises(StorageFull, match="a model or a run"):
            quotas.judge_storage(owner, 1)
        page = owner_client.get(url("dataset_list")).content.decode()
        assert "195.3" in page

    def test_a_plan_that_is_full_takes_no_more(self, dataset, small_plan, owner):
        Dataset.objects.filter(pk=dataset.pk).update(size_bytes=190_000)
        quotas.judge_storage(owner, 10_000)
        with pytest.raises(StorageFull, match=r"You use|you use"):
            quotas.judge_storage(owner, 10_001)
        assert quotas.storage_of(owner).level == "fair"

    def test_the_house_has_its_own_plan(self, owner, settings):
        settings.CREDITS_ENABLED = False
        Plan.objects.filter(slug="house").update(storage_bytes=1234)
        storage = quotas.storage_of(owner)
        assert (storage.allowed, storage.is_sold) == (1234, False)

    def test_the_list_shows_it(self, dataset, small_plan, owner_client):
        Dataset.objects.filter(pk=dataset.pk).update(size_bytes=200_000)
        page = owner_client.get(url("dataset_list")).content.decode()
        assert "Your storage is full" in page


def test_a_licence_of_an_admin_may_be_chosen(unstated, owner_client):
    Licence.objects.create(slug="house-rules", name="House rules", derivatives=True)
    owner_client.post(url("dataset_rights", unstated.pk), STATED | {"licence": "house-rules"})
    unstated.refresh_from_db()
    assert unstated.licence_id == "house-rules"


def test_deleting_names_what_was_made_with_it(trained, dataset, owner, owner_client):
    services.save_model(experiment=trained, name="Shell model")
    services.create_draft(owner=owner, dataset=dataset)
    page = owner_client.get(url("dataset_delete", dataset.pk)).content.decode()
    for text in (trained.name, "Shell model", "cannot be resumed", "will ask for another dataset"):
        assert text in page
