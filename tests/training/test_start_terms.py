"""A model whose terms forbid changed versions is no starting point and no base."""

import pytest
from django.urls import reverse

from catalog.exceptions import TermsForbid
from catalog.models import CatalogModel, Licence, LicenceGrant
from jobs.models import Job
from tests.catalog.bases import publish_tiny_base
from tests.training.conftest import TINY, publish_tiny
from training import services
from training.forms import SetupForm
from training.models import AITraining, Experiment
from training.starts import find_starts


@pytest.fixture
def kept(dataset, stranger, tmp_path):
    """Return a function that publishes a stranger's model under a licence, for everybody."""

    def make(slug: str):
        licence = Licence.objects.get(slug=slug)
        version = publish_tiny(stranger, licence, tmp_path / slug, TINY, name=f"kept-{slug[:5]}")
        CatalogModel.objects.update(visibility="public")
        return version

    return make


@pytest.mark.parametrize(
    ("slug", "sentence"),
    [("cc-by-nd-4.0", "forbids changed versions"), ("own-work", "is for its owner only")],
)
def test_an_experiment_is_refused_with_the_sentence(kept, dataset, owner, slug, sentence):
    with pytest.raises(TermsForbid, match=sentence):
        services.start_experiment(owner=owner, dataset=dataset, starting_point=kept(slug), steps=10)
    assert not Experiment.objects.exists()
    assert not Job.objects.exists()


def test_an_experiment_from_what_was_granted_starts(kept, dataset, owner):
    version = kept("own-work")
    LicenceGrant.objects.create(source=version.source, licence_id="cc-by-nc-4.0")
    started = services.start_experiment(owner=owner, dataset=dataset, starting_point=version, steps=10)
    assert started.starting_point == version


def test_an_ai_training_is_refused_with_the_sentence(ai_dataset, owner, stranger):
    base = publish_tiny_base(stranger, licence=Licence.objects.get(slug="cc-by-nc-nd-4.0"))
    with pytest.raises(TermsForbid, match=r"“Tiny base”.*forbids changed versions"):
        services.start_ai_training(
            owner=owner, dataset=ai_dataset, base=base, name="Rex", keyword="mimochi", subject="mug", steps=8
        )
    assert not AITraining.objects.exists()


def test_the_wizard_marks_what_may_not_be_started_from(kept, owner, django_assert_max_num_queries):
    refused, free = kept("cc-by-nd-4.0"), kept("cc0-1.0")
    with django_assert_max_num_queries(4):
        starts = {start.value: start for start in find_starts(owner)}
    assert "forbids changed versions" in starts[str(refused.pk)].refusal
    assert starts[str(free.pk)].refusal == ""
    form = SetupForm({"start": str(refused.pk), "steps": 10, "crop": "center"}, starts=list(starts.values()))
    assert "forbids changed versions" in form.errors["start"][0]
    assert SetupForm(starts=list(starts.values())).initial["start"] == str(free.pk)


def test_the_wizards_pages_tell_the_sentence(kept, dataset, ai_dataset, owner, owner_client, stranger):
    kept("cc-by-nd-4.0")
    draft = services.create_draft(owner=owner, dataset=dataset)
    page = owner_client.get(reverse("training:draft_setup", args=[draft.pk])).content.decode()
    assert "forbids changed versions" in page
    assert " disabled" in page
    publish_tiny_base(stranger, licence=Licence.objects.get(slug="cc-by-nc-nd-4.0"))
    draft = services.create_ai_draft(owner=owner, dataset=ai_dataset)
    page = owner_client.get(reverse("training:ai_draft_setup", args=[draft.pk])).content.decode()
    assert "forbids changed versions" in page
