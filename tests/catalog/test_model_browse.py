"""/catalog/: the page of the directory, and what is searched in it."""

import pytest
from django.urls import reverse
from django.utils import timezone

from catalog.models import Attribution, CatalogModel, ModelPicture, Visibility
from tests.catalog.pages import wrong_methods_are_refused

URL = reverse("catalog:model_browse")


@pytest.fixture
def models(publish, owner, stranger):
    publish(owner, "mine")
    publish(stranger, "hidden", seed=1)
    publish(stranger, "foxes", seed=2, visibility=Visibility.PUBLIC, tagline="Red animals, drawn")
    publish(stranger, "owls", seed=3, visibility=Visibility.PUBLIC, description="Birds of the night")
    publish(stranger, "gone", seed=4, visibility=Visibility.PUBLIC)
    publish(stranger, "by-address", seed=5, visibility=Visibility.UNLISTED)
    CatalogModel.objects.filter(name="gone").update(withdrawn_at=timezone.now())


def titles(response):
    return {model.title for model in response.context["page"]}


def in_order(response):
    return [model.name for model in response.context["page"]]


def counts(response, name):
    facets = {facet.name: facet for facet in response.context["counts"].facets}
    return {value.name: value.count for value in facets[name].values} if name in facets else {}


def test_owner_sees_public_models_and_own(owner_client, models):
    assert titles(owner_client.get(URL)) == {"Mine", "Foxes", "Owls"}


def test_anonymous_sees_public_models(client, models):
    assert titles(client.get(URL)) == {"Foxes", "Owls"}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("fox", {"Foxes"}),
        ("drawn RED", {"Foxes"}),
        ("drawn fo", {"Foxes"}),
        ("red -drawn", set()),
        ('"birds of the night"', {"Owls"}),
        ("foxes or owls", {"Foxes", "Owls"}),
        ("night", {"Owls"}),
        ("nothing like it", set()),
        ("100%", set()),
        ("_", set()),
        ("\0", {"Foxes", "Owls"}),
        ("x" * 5000, set()),
        ("'); drop table x; --", set()),
        ("a & | ! :* <-> (", set()),
    ],
)
def test_search(client, models, query, found):
    assert titles(client.get(URL, {"q": query})) == found


def test_keywords_publishers_and_authors_are_found_and_stay_up_to_date(client, models, stranger):
    model = CatalogModel.objects.get(name="foxes")
    CatalogModel.objects.filter(pk=model.pk).update(keywords=["woodcut"])
    person = Attribution.objects.create(model=model, name="Ada Painter", role="drew")
    stranger.display_name = "Quiet Press"
    stranger.save()
    for query in ("woodcut", "painter", "woodc", "ada woodcut"):
        assert titles(client.get(URL, {"q": query})) == {"Foxes"}, query
    assert titles(client.get(URL, {"q": "quiet press"})) == {"Foxes", "Owls"}
    person.delete()
    assert titles(client.get(URL, {"q": "painter"})) == set()


def test_titles_count_more_than_texts(client, models):
    CatalogModel.objects.filter(name="owls").update(description="Unlike foxes, they fly. Foxes run.")
    assert in_order(client.get(URL, {"q": "foxes"})) == ["foxes", "owls"]


def test_orders(client, models):
    CatalogModel.objects.filter(name="foxes").update(use_count=3)
    assert in_order(client.get(URL)) == ["owls", "foxes"]
    assert in_order(client.get(URL, {"sort": "used"})) == ["foxes", "owls"]
    assert in_order(client.get(URL, {"sort": "name"})) == ["foxes", "owls"]
    assert in_order(client.get(URL, {"sort": "garbage"})) == ["owls", "foxes"]


@pytest.fixture
def varied(models):
    change = {
        "foxes": {"keywords": ["animal", "red"], "input_kinds": ["number"], "output_kinds": ["image"]},
        "owls": {
            "keywords": ["animal"],
            "type": "extract",
            "family": "onnx",
            "input_kinds": ["image"],
            "output_kinds": ["labels", "boxes"],
            "outputs_commercial": True,
        },
    }
    CatalogModel.objects.update(outputs_commercial=False)
    for name, values in change.items():
        CatalogModel.objects.filter(name=name).update(**values)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"type": "extract"}, {"Owls"}),
        ({"type": ["extract", "generate"]}, {"Owls", "Foxes"}),
        ({"keyword": "animal"}, {"Owls", "Foxes"}),
        ({"keyword": ["animal", "red"]}, {"Foxes"}),
        ({"sell": "outputs"}, {"Owls"}),
        ({"takes": "image"}, {"Owls"}),
        ({"gives": ["boxes", "image"]}, {"Owls", "Foxes"}),
        ({"family": "onnx"}, {"Owls"}),
        ({"publisher": "nobody"}, set()),
        ({"type": "extract", "keyword": "red"}, set()),
        ({"q": "birds", "type": "extract", "sell": "outputs"}, {"Owls"}),
        ({"type": "garbage"}, {"Owls", "Foxes"}),
        ({"keyword": ["x'); --", "\0"]}, set()),
    ],
)
def test_filters_combine(client, varied, asked, found):
    assert titles(client.get(URL, asked)) == found


def test_counts_hold_with_the_other_filters(client, varied, stranger):
    everything = client.get(URL)
    assert counts(everything, "type") == {"generate": 1, "extract": 1}
    assert counts(everything, "keyword") == {"animal": 2, "red": 1}
    assert counts(everything, "sell") == {"outputs": 1}
    assert counts(everything, "publisher") == {stranger.handle: 2}
    drawn = client.get(URL, {"type": "generate"})
    assert counts(drawn, "type") == {"generate": 1, "extract": 1}, "a filter does not count against itself"
    assert counts(drawn, "keyword") == {"animal": 1, "red": 1}
    assert counts(drawn, "sell") == {}
    red = client.get(URL, {"keyword": "red"})
    assert counts(red, "keyword") == {"red": 1, "animal": 1}, "further keywords narrow down"
    word = client.get(URL, {"q": "night", "type": "generate"})
    assert word.context["counts"].total == 0
    assert word.context["counts"].unfiltered == 1
    assert counts(word, "type") == {"generate": 0, "extract": 1}


def test_chips_take_one_filter_away_each(client, varied):
    response = client.get(
        URL, {"q": "animals", "type": "generate", "keyword": ["animal", "red"], "sort": "name"}
    )
    urls = {chip["title"]: chip["url"] for chip in response.context["chips"]}
    assert urls["red"] == f"{URL}?q=animals&type=generate&keyword=animal&sort=name"
    assert urls["Generate"] == f"{URL}?q=animals&keyword=animal&keyword=red&sort=name"
    page = response.content.decode()
    assert urls["red"].replace("&", "&amp;") in page


def test_nothing_found_says_what_would_help(client, varied):
    narrow = client.get(URL, {"q": "foxes", "type": "extract"}).content.decode()
    assert "Without the filters there is 1 model." in narrow
    typo = client.get(URL, {"q": "foxse"}).content.decode()
    assert "?q=foxes" in typo
    assert "No model matches" in client.get(URL, {"q": "zzzz"}).content.decode()


def test_what_is_private_is_not_suggested(client, models):
    assert "?q=hidden" not in client.get(URL, {"q": "hiddne"}).content.decode()


def test_featured_models_stand_on_top_when_nothing_is_asked(client, models):
    CatalogModel.objects.filter(name__in=["foxes", "hidden"]).update(featured_at=timezone.now())
    assert [model.name for model in client.get(URL).context["featured"]] == ["foxes"]
    assert not client.get(URL, {"q": "fox"}).context["featured"]


def test_fragment_holds_the_answer_alone_and_the_plain_address(client, models):
    asked = {"q": "fox", "sort": "relevance", "type": ""}
    response = client.get(URL, asked, headers={"HX-Request": "true"})
    page = response.content.decode()
    assert "Foxes" in page
    assert 'id="facets" hx-swap-oob="innerHTML"' in page
    assert "<html" not in page
    assert response["HX-Push-Url"] == f"{URL}?q=fox"
    assert "HX-Request" in response["Vary"]


def test_going_back_gets_the_whole_page(client, models):
    headers = {"HX-Request": "true", "HX-History-Restore-Request": "true"}
    assert "<html" in client.get(URL, headers=headers).content.decode()


def test_query_is_shown_as_text(client, models):
    page = client.get(URL, {"q": '"><script>alert(1)</script>'}).content.decode()
    assert "<script>alert" not in page


def test_the_first_picture_of_a_gallery_is_the_cover(client, models):
    model = CatalogModel.objects.get(name="foxes")
    for position in (1, 0):
        ModelPicture.objects.create(
            model=model, file=f"p/{position}.webp", width=4, height=4, position=position
        )
    first = model.pictures.get(position=0)
    page = client.get(URL, {"q": "foxes"}).content.decode()
    assert reverse("catalog:picture_show", args=[model.owner.handle, "foxes", first.pk]) in page


def test_the_usual_order_is_not_sent_along_so_that_words_are_sorted_by_rank(client, models):
    assert '<option value="" selected>Newest' in client.get(URL).content.decode()
    assert (
        '<option value="" selected>Best match' in client.get(URL, {"q": "fox", "sort": ""}).content.decode()
    )
    assert (
        '<option value="newest" selected>' in client.get(URL, {"q": "fox", "sort": "newest"}).content.decode()
    )


@pytest.mark.parametrize("page", ["0", "x", "99999999999999999999"])
def test_pages_that_are_not_there(client, models, page):
    assert client.get(URL, {"page": page}).status_code == 200


def test_wrong_methods(client, db):
    assert wrong_methods_are_refused(client, URL, {"get"})


@pytest.mark.parametrize("count", [2, 12])
def test_queries(owner_client, publish, stranger, count, django_assert_max_num_queries):
    for number in range(count):
        publish(stranger, f"model-{number}", seed=number, visibility=Visibility.PUBLIC)
    CatalogModel.objects.update(featured_at=timezone.now())
    with django_assert_max_num_queries(15):
        owner_client.get(URL)
    with django_assert_max_num_queries(11):
        owner_client.get(URL, {"q": "model", "type": "generate", "gives": "image"})
