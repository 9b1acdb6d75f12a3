"""What every page downloads and how its templates are written: budgets, no inline code, all of it ours."""

import gzip
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import django_htmx
import pytest

from config.static_storage import bare

ROOT = Path(__file__).resolve().parents[2]
STATIC = ROOT / "static"
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
CSS_BUDGET = 25 * 1024
JS_BUDGET = 40 * 1024
PICTURE_BUDGET = 400 * 1024


def name_of(path: Path) -> str:
    return path.relative_to(ROOT / "templates").as_posix()


def gzipped_size(paths) -> int:
    return sum(len(gzip.compress(path.read_bytes(), 6)) for path in paths)


@cache
def included_names() -> frozenset[str]:
    pattern = re.compile(r"""\{%-?\s*(?:include|extends)\s+["']([^"'#]+)(?:#\w+)?["']""")
    return frozenset(name for path in TEMPLATES for name in pattern.findall(path.read_text()))


def test_css_stays_within_its_budget():
    # Browsers get one file (config.static_storage), in which what many components share is compressed once.
    joined = b"".join(path.read_bytes() for path in sorted(STATIC.rglob("*.css")))
    assert len(gzip.compress(joined, 6)) <= CSS_BUDGET


def test_javascript_with_htmx_stays_within_its_budget():
    htmx = Path(django_htmx.__file__).parent / "static/django_htmx/htmx-2.min.js"
    scripts = [bare(path.read_text()).encode() for path in STATIC.rglob("*.js")]
    assert sum(len(gzip.compress(script, 6)) for script in [htmx.read_bytes(), *scripts]) <= JS_BUDGET


def test_scripts_lose_nothing_but_comments_when_they_are_collected():
    for path in STATIC.rglob("*.js"):
        text = path.read_text()
        assert all(line.count("`") % 2 == 0 for line in text.splitlines()), "a text goes over lines"
        assert "/*" not in text


def test_pictures_stay_few_and_small():
    assert sum(path.stat().st_size for path in (STATIC / "img").iterdir()) <= PICTURE_BUDGET


def test_every_css_file_has_its_layer():
    imported = re.findall(r'@import url\("([^"]+)"\) layer\((\w+)\);', (STATIC / "css/main.css").read_text())
    layers = {"reset", "tokens", "base", "components", "pages"}
    assert {layer for _, layer in imported} == layers
    assert {name for name, _ in imported} == {path.name for path in (STATIC / "css").iterdir()} - {"main.css"}


@pytest.mark.parametrize("path", sorted((STATIC / "css").iterdir()), ids=lambda path: path.name)
def test_css_uses_known_tokens_only(path):
    tokens = set(re.findall(r"(--[\w-]+)\s*:", "".join(p.read_text() for p in (STATIC / "css").iterdir())))
    assert set(re.findall(r"var\((--[\w-]+)", path.read_text())) <= tokens


@pytest.mark.parametrize("path", TEMPLATES, ids=name_of)
def test_templates_hold_no_inline_code(path):
    text = re.sub(r"\{#.*?#\}|\{% comment %\}.*?\{% endcomment %\}", "", path.read_text(), flags=re.DOTALL)
    assert not re.search(r"<style\b", text), "styles stand in static/css"
    assert not re.search(r"\sstyle\s*=", text), "no style attribute passes the content security policy"
    assert not re.search(r"\s(on[a-z]+|hx-on\S*)\s*=", text), "no handler attribute passes it either"
    scripts = [tag for tag in re.findall(r"<script\b[^>]*>", text) if 'type="application/json"' not in tag]
    assert all("src=" in tag for tag in scripts), "scripts stand in static/js; what they read may stand here"
    assert "javascript:" not in text


@pytest.mark.parametrize(
    "path",
    [*TEMPLATES, *STATIC.rglob("*.css"), *STATIC.rglob("*.js"), *STATIC.rglob("*.svg")],
    ids=lambda path: path.name,
)
def test_nothing_is_loaded_from_elsewhere(path):
    text = path.read_text().replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"""(?:src|srcset|action|url|import)\s*[=(]?\s*["'(]?(?:https?:)?//[a-z]""", text)


@pytest.mark.parametrize("path", TEMPLATES, ids=name_of)
def test_every_template_is_a_page_or_a_part(path):
    name = name_of(path)
    is_page = re.search(r"\{%\s*extends\s", path.read_text()) is not None
    is_part = name.startswith(("components/", "allauth/elements/")) or name in included_names()
    # Django admin draws an inline with the template that its class names.
    is_inline = name.startswith("admin/") and any(
        f'"{name}"' in source.read_text() for source in ROOT.glob("*/admin/*.py")
    )
    # Apps add parts of theirs to the pages of models (catalog.registry.PagePart).
    is_page_part = any(f'template="{name}"' in source.read_text() for source in ROOT.glob("*/apps.py"))
    # A tag shows it.
    is_tag = any(
        f'inclusion_tag("{name}"' in source.read_text() for source in ROOT.glob("*/templatetags/*.py")
    )
    is_used = is_page or is_part or is_inline or is_page_part or is_tag
    assert is_used, "it extends nothing and nothing includes it"


@pytest.mark.parametrize("path", TEMPLATES, ids=name_of)
def test_every_icon_that_is_used_is_drawn(path):
    drawn = set(re.findall(r'<symbol id="([\w-]+)"', (STATIC / "img/icons.svg").read_text()))
    used = set(re.findall(r'components/icon\.html" with name="([\w-]+)"', path.read_text()))
    used |= set(re.findall(r'\bicon="([\w-]+)"', path.read_text()))
    assert used <= drawn


def test_templates_are_formatted():
    djade = shutil.which("djade", path=str(Path(sys.executable).parent))
    assert djade is not None
    command = [djade, "--target-version", "5.2", "--check", *map(str, TEMPLATES)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
