"""The wizard of AI trainings, page by page, without a worker."""

import pytest
from django.test import Client
from django.urls import reverse

from billing.models import CreditHold, FreeTraining
from jobs import warm
from jobs.models import Job, State
from jobs.testing import run_pending
from tests.wallets import set_credits
from training import services
from training.ai_plans import usual_steps
from training.models import AITraining, AITrainingDraft, KeywordMeaning, Purpose

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


@pytest.fixture
def base(weightless_base):
    """Nothing here loads it."""
    return weightless_base


@pytest.fixture
def draft(ai_dataset, base, owner) -> AITrainingDraft:
    set_credits(owner, 1200)
    return services.create_ai_draft(owner=owner, dataset=ai_dataset)


def url(name: str, *args: object) -> str:
    return reverse(f"training:{name}", args=args)


def setup(base, /, **values: object) -> dict[str, object]:
    return {"base": str(base.pk), "name": "Rex", "subject": "mug", "steps": "", **values}


def test_without_a_base_it_says_what_an_operator_does(owner_client, licence):
    page = owner_client.get(url("ai_training_create")).content.decode()
    assert "There is no base model yet" in page
    assert "manage.py add_base" in page


def test_each_type_has_advice_of_its_own(owner_client, base):
    page = owner_client.get(url("ai_training_create")).content.decode()
    for sentence in ("from the shoulders up", "Leave out signatures", "from several sides"):
        assert sentence in page


def test_a_dataset_leads_to_its_own_type(owner_client, ai_dataset, base):
    response = owner_client.get(url("ai_training_create"), {"dataset": ai_dataset.pk})
    assert response["Location"] == f"/ai-training/new/object/?dataset={ai_dataset.pk}"
    page = owner_client.get(response["Location"]).content.decode()
    assert f'value="{ai_dataset.pk}" required checked' in page


def test_only_datasets_of_the_type_are_offered(owner_client, ai_dataset, make_dataset, owner, base):
    other = make_dataset(owner, 5, name="Faces")
    page = owner_client.get(url("ai_training_pictures", "object")).content.decode()
    assert str(ai_dataset.pk) in page
    assert str(other.pk) not in page
    refused = owner_client.post(url("ai_training_pictures", "object"), {"dataset": other.pk})
    assert refused.status_code == 422


def test_two_pictures_are_refused_and_sixty_are_fine(owner_client, make_dataset, owner, base):
    for count, status in ((2, 422), (60, 302)):
        dataset = make_dataset(owner, count, name=f"Set of {count}")
        dataset.purpose = Purpose.STYLE
        dataset.save()
        response = owner_client.post(url("ai_training_pictures", "style"), {"dataset": dataset.pk})
        assert response.status_code == status
        if status == 422:
            assert b"training needs at least 5" in response.content


def test_without_rights_it_leads_to_them_and_back(owner_client, ai_dataset, base):
    ai_dataset.rights_stated_at = None
    ai_dataset.save()
    response = owner_client.post(url("ai_training_pictures", "object"), {"dataset": ai_dataset.pk})
    assert response.status_code == 422
    way = f"/datasets/{ai_dataset.pk}/rights/?next=%2Fai-training%2Fnew%2Fobject%2F"
    assert way in response.content.decode()


class TestSetup:
    def test_the_receipt_says_what_it_costs_and_what_happens_on_failure(self, owner_client, draft):
        page = owner_client.get(url("ai_draft_setup", draft.pk)).content.decode()
        assert "not measured yet" in page
        assert "1,000" in page
        assert "1,200" in page
        assert "the rest goes back to you" in page
        assert "15 to 25 pictures give better results" in page

    def test_captions_are_shown_with_the_keyword(self, owner_client, draft, base):
        page = owner_client.get(
            url("ai_draft_setup", draft.pk), setup(base), headers={**HTMX, "HX-Target": "estimate"}
        ).content.decode()
        assert "customrexmodel mug on a table" in page
        assert "the customrexmodel mug" in page

    def test_it_goes_on_with_a_keyword_made_from_the_name(self, owner_client, draft, base):
        response = owner_client.post(url("ai_draft_setup", draft.pk), setup(base))
        assert response["Location"] == url("ai_draft_start", draft.pk)
        page = owner_client.get(response["Location"]).content.decode()
        assert "customrexmodel" in page
        assert "Start training, 1,000 credits" in page

    @pytest.mark.parametrize(
        ("values", "sentence"),
        [
            ({"name": ""}, "Give it a name."),
            ({"subject": ""}, "Say in a word what the pictures show."),
            ({"keyword": "two words"}, "Type one word of letters"),
            ({"keyword": "a"}, "at least 3 letters"),
            ({"steps": "5"}, "at least 10 steps"),
            ({"steps": "30000"}, "at most 20,000 steps"),
            ({"rank": "1000"}, "less than or equal to 256"),
            ({"base": "nobody"}, "There is no such base model"),
            ({"sample_prompts": "\n".join("abcdefghi")}, "at most 8 prompts"),
        ],
    )
    def test_says_what_is_wrong(self, values, sentence, owner_client, draft, base):
        response = owner_client.post(url("ai_draft_setup", draft.pk), setup(base, **values))
        assert response.status_code == 422
        assert sentence in response.content.decode()

    def test_a_base_that_is_private_to_others_is_none(self, owner_client, draft, base):
        base.model.visibility = "private"
        base.model.save()
        response = owner_client.get(url("ai_draft_setup", draft.pk))
        assert response["Location"] == url("ai_training_create")


class TestKeyword:
    def check(self, client: Client, draft, base, *, post: bool = True, **values: object) -> str:
        ask = client.post if post else client.get
        return ask(url("ai_draft_keyword", draft.pk), setup(base, **values), headers=HTMX).content.decode()

    def test_it_is_measured_once_and_never_waited_for(self, owner_client, draft, base):
        assert "Asking the base what it knows" in self.check(owner_client, draft, base)
        self.check(owner_client, draft, base, name="Rex ")
        job = Job.objects.get(kind="training.keyword")
        assert job.price is None
        polled = self.check(owner_client, draft, base, post=False)
        assert 'hx-trigger="every 2s"' in polled
        assert owner_client.post(url("ai_draft_setup", draft.pk), setup(base)).status_code == 302

    @pytest.mark.parametrize(
        ("distance", "tokens", "sentence"),
        [
            (1.1, 4, "a good keyword"),
            (2.2, 11, "a good keyword"),
            (2.0, 4, "means something by"),
            (1.0, 1, "means something by"),
        ],
    )
    def test_it_says_what_was_found(self, distance, tokens, sentence, owner_client, draft, base):
        KeywordMeaning.objects.create(base=base, keyword="customrexmodel", distance=distance, tokens=tokens)
        assert sentence in self.check(owner_client, draft, base)
        assert not Job.objects.filter(kind="training.keyword").exists()

    def test_looking_measures_nothing(self, owner_client, draft, base):
        self.check(owner_client, draft, base, post=False)
        assert not KeywordMeaning.objects.exists()

    def test_one_that_is_taken_is_named(self, owner_client, draft, base, start_ai, owner):
        start_ai("customrexmodel")
        assert "with the keyword customrexmodel already" in self.check(owner_client, draft, base)
        response = owner_client.post(url("ai_draft_setup", draft.pk), setup(base, keyword="CustomRexModel"))
        assert response.status_code == 422


class TestStart:
    @pytest.fixture
    def ready(self, owner_client, draft, base) -> AITrainingDraft:
        owner_client.post(url("ai_draft_setup", draft.pk), setup(base, seed="7", rank="4"))
        draft.refresh_from_db()
        return draft

    def test_it_starts_and_holds_everything(self, owner_client, ready):
        response = owner_client.post(url("ai_draft_start", ready.pk))
        training = AITraining.objects.get()
        assert response["Location"] == url("ai_training_detail", training.pk)
        assert (training.keyword, training.seed) == ("customrexmodel", 7)
        assert training.steps == usual_steps("object", training.base, 6)
        assert training.settings == {"rank": 4}
        assert training.sample_prompts[1] == "customrexmodel mug on a beach"
        assert CreditHold.objects.get(work_ref=training.job_id).amount == 1000
        assert not AITrainingDraft.objects.exists()

    def test_two_clicks_start_one(self, owner_client, ready):
        other = AITrainingDraft.objects.get(pk=ready.pk)
        owner_client.post(url("ai_draft_start", ready.pk))
        assert owner_client.post(url("ai_draft_start", other.pk)).status_code == 404
        assert AITraining.objects.count() == 1

    def test_without_credits_it_says_how_many_are_missing(self, owner_client, ready, owner):
        set_credits(owner, 100)
        response = owner_client.post(url("ai_draft_start", ready.pk))
        assert response.status_code == 402
        assert "you have 100" in response.content.decode()
        assert not AITraining.objects.exists()

    def test_in_house_mode_nothing_is_priced(self, owner_client, ready, settings):
        settings.CREDITS_ENABLED = False
        page = owner_client.get(url("ai_draft_start", ready.pk)).content.decode()
        assert "credits" not in page.partition("<main")[2]
        owner_client.post(url("ai_draft_start", ready.pk))
        assert AITraining.objects.get().job.price is None

    def test_the_free_one_is_used_and_comes_back(self, owner_client, ready, owner):
        account = set_credits(owner, 10)
        FreeTraining.objects.create(account=account, state=FreeTraining.State.OFFERED)
        page = owner_client.get(url("ai_draft_start", ready.pk)).content.decode()
        assert "Start your free training" in page
        owner_client.post(url("ai_draft_start", ready.pk), {"free": "1"})
        training = AITraining.objects.get()
        assert training.job.price is None
        assert FreeTraining.objects.get().work_ref == training.job_id
        services.stop_training(training=training)
        assert FreeTraining.objects.get().state == FreeTraining.State.OFFERED

    def test_what_was_shown_as_free_is_never_charged(self, owner_client, ready):
        response = owner_client.post(url("ai_draft_start", ready.pk), {"free": "1"})
        assert response.status_code == 422
        assert "The free training was used already" in response.content.decode()
        assert not AITraining.objects.exists()

    def test_a_draft_can_be_deleted(self, owner_client, ready):
        assert owner_client.get(url("ai_draft_delete", ready.pk)).status_code == 200
        owner_client.post(url("ai_draft_delete", ready.pk))
        assert not AITrainingDraft.objects.exists()


def test_the_keyword_is_measured_on_a_real_base(owner, licence, make_user):
    from tests.catalog.bases import publish_tiny_base
    from training.keywords import measure_keyword, verdict_on

    tiny = publish_tiny_base(make_user("publisher@example.org"))
    measure_keyword(owner=owner, base=tiny, keyword="Cat")
    (job,) = run_pending("generate")
    assert job.state == State.SUCCEEDED, job.error
    meaning = KeywordMeaning.objects.get()
    assert meaning.tokens == 1
    assert verdict_on(tiny, "cat").level == "warning"
    loads = warm._models.loads
    measure_keyword(owner=owner, base=tiny, keyword="Dog")
    (job,) = run_pending("generate")
    assert job.state == State.SUCCEEDED, job.error
    assert warm._models.loads == loads, "the base stays loaded for whoever makes pictures, or asks again"
