"""Markdown of strangers."""

import pytest

from catalog.texts import render_markdown


def test_what_markdown_is_for():
    html = render_markdown("# Use\n\nIt is **good** at:\n\n- cats\n- [owls](https://example.org/)\n\n`a < b`")
    assert "<h3>Use</h3>" in html
    assert "<strong>good</strong>" in html
    assert "<li>cats</li>" in html
    assert '<a href="https://example.org/" rel="nofollow noreferrer ugc">owls</a>' in html
    assert "<code>a &lt; b</code>" in html


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        '<img src=x onerror="alert(1)">',
        "[x](javascript:alert(1))",
        "[x](data:text/html;base64,PHNjcmlwdD4=)",
        "[x](java\nscript:alert(1))",
        "<javascript:alert(1)>",
        '[x](https://e.org/"onmouseover="alert(1))',
        "![x](https://tracker.example.org/pixel.png)",
        '<b hx-get="/account/" hx-trigger="load">x</b>',
        '```"><script>\nalert(1)\n```',
        "<style>body{display:none}</style><form action=//e.org><input name=q></form>",
    ],
)
def test_nothing_harmful_comes_through(text):
    html = render_markdown(text)
    for tag in (
        "<script",
        "<img",
        "<b ",
        "<style",
        "<form",
        "<input",
        'href="javascript',
        'href="data',
        " onmouse",
    ):
        assert tag not in html.replace("&quot;", "").lower()


def test_a_long_text_of_brackets_ends():
    assert render_markdown("[" * 20_000)
