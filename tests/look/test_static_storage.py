"""What a browser gets of the stylesheets: one file, hashed, nothing left to import."""

import json
import re

import pytest
from django.core.management import call_command


@pytest.fixture
def collected(settings, tmp_path):
    settings.STATIC_ROOT = tmp_path
    settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "config.static_storage.StudioStaticStorage"},
    }
    call_command("collectstatic", interactive=False, verbosity=0)
    return tmp_path


def test_one_stylesheet_holds_every_component_in_its_layer(collected):
    names = json.loads((collected / "staticfiles.json").read_text())["paths"]
    text = (collected / names["css/main.css"]).read_text()
    assert "@import" not in text
    assert text.count("{") == text.count("}")
    assert re.search(r"@layer tokens \{\s*/\*[^*]+\*/\s*:root \{", text)
    for rule in (".button {", ".tile {", ".scrubber {", ".receipt {"):
        assert rule in text
    assert (collected / (names["css/main.css"] + ".gz")).exists()
