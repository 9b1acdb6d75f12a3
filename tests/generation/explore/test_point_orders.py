"""Keeping the picture of a point in the gallery."""

import io
import json

import numpy as np
import pytest
from django.core.files.storage import default_storage
from django.urls import reverse
from PIL import Image

from catalog.files import materialise
from catalog.generators import network_of
from engines.provenance import read
from engines.stylegan.generate import Generator
from engines.stylegan.latent import LatentSpace
from engines.stylegan.points import Mix, Seed
from generation.explore import points
from generation.models import Generation, Picture
from jobs.testing import run_pending
from tests.wallets import give_credits, set_credits

POINT = Mix(first=Seed(seed=5), second=Seed(seed=6), fine=0.5)


@pytest.fixture
def network(version):
    return network_of(version)


@pytest.fixture
def saved(owner, network):
    return points.save_point(owner=owner, network=network, point=POINT.first)


def test_it_is_made_paid_and_says_how_one_comes_to_it(owner, owner_client, network, saved, version):
    give_credits(owner, 100)
    url = reverse("generation:point_keep", args=[saved.pk])
    answer = owner_client.post(url, {"in": network.key, "point": points.as_text(POINT)})
    run_pending("generate")
    picture = Picture.objects.select_related("generation__job").get()
    assert answer["Location"] == reverse("generation:generation_detail", args=[picture.generation_id])
    assert picture.generation.job.price_charged == 5
    expected = LatentSpace(Generator.load(materialise(version))).images([POINT])[0]
    with default_storage.open(picture.file) as stored:
        content = stored.read()
    with Image.open(io.BytesIO(content)) as image:
        assert np.array_equal(np.asarray(image), expected)
    record = read(io.BytesIO(content))
    assert json.loads(record.settings["Point"]) == POINT.as_json()
    assert record.credit == "Tiny by Ann"
    page = owner_client.get(reverse("generation:picture_detail", args=[picture.pk])).content.decode()
    assert saved.get_absolute_url() in page
    assert owner_client.get(answer["Location"]).status_code == 200


def test_without_credits_or_with_nonsense_nothing_is_ordered(
    owner, owner_client, stranger_client, network, saved
):
    set_credits(owner, 0)
    url = reverse("generation:point_keep", args=[saved.pk])
    for point in ("nonsense", points.as_text(POINT)):
        answer = owner_client.post(url, {"in": network.key, "point": point}, follow=True)
        assert len(answer.context["messages"]) == 1
    assert owner_client.post(url, {"in": "version:x"}).status_code == 404
    assert stranger_client.post(url, {"in": network.key}).status_code == 404
    assert not Generation.objects.exists()
