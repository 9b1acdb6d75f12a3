"""Texts that people write about their models: Markdown in, harmless HTML out."""

import nh3
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt

_TAGS = {
    "p", "br", "hr", "strong", "em", "del", "code", "pre", "blockquote", "ul", "ol", "li", "a",
    "h2", "h3", "h4", "h5", "h6", "table", "thead", "tbody", "tr", "th", "td",
}  # fmt: skip
# The page has its title and its headings above those of a text.
_LEVELS_DOWN = 2

_parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"]).disable("image")


def render_markdown(text: str, *, levels_down: int = _LEVELS_DOWN) -> SafeString:
    """Return a text as HTML. HTML in it stays text; pictures are left to the gallery; links lead out plainly.

    Headings stand some levels below those that were written, so that a text fits into a page; none becomes
    the page's own title.
    """
    tokens = _parser.parse(text)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, max(2, int(token.tag[1]) + levels_down))}"
    html = _parser.renderer.render(tokens, _parser.options, {})
    clean = nh3.clean(
        html,
        tags=_TAGS,
        attributes={"a": {"href"}, "ol": {"start"}},
        url_schemes={"http", "https", "mailto"},
        link_rel="nofollow noreferrer ugc",
    )
    return mark_safe(clean)  # noqa: S308 -- nh3 left nothing but the tags above
