"""What a caption may be, where its keyword stands, and the changes that can be made to many at once.

Pure rules: no database, no requests. A caption of several lines holds alternatives, one a line, as trainers
read them; so what is said about the keyword holds for each line.
"""

import re
import unicodedata
from collections.abc import Callable

from django.utils.translation import gettext as _

from training.exceptions import CaptionRefused
from training.models import Dataset, Purpose

MAX_LENGTH = 2000
MAX_TEMPLATE_LENGTH = 200

# How captions are best written for what is learned. The keyword stands where the base model expects a name
# of the thing itself; for a style the caption tells of everything but the style, so that the look and
# nothing else is left to be tied to the keyword.
TEMPLATES = {
    Purpose.CHARACTER: "photo of {keyword} {class}",
    Purpose.OBJECT: "photo of {keyword} {class}",
    Purpose.STYLE: "{caption} in the style of {keyword}",
    Purpose.EXPERIMENT: "{caption}",
}
_PLACEHOLDER = re.compile(r"\{(\w*)\}")
_KEYWORD = re.compile(r"[^\W_][\w-]*")

Change = Callable[[str], str]


def clean_caption(text: str) -> str:
    """Return the text as captions are kept: trimmed lines, none of them empty, no control characters.

    Raises CaptionRefused for one of more than MAX_LENGTH characters.
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", " ").split("\n")
    cleaned = (_printable(line).strip() for line in lines)
    caption = "\n".join(line for line in cleaned if line)
    if len(caption) > MAX_LENGTH:
        raise CaptionRefused(
            _("This caption has %(length)s characters. Shorten it to %(limit)s or fewer.")
            % {"length": f"{len(caption):,}", "limit": f"{MAX_LENGTH:,}"}
        )
    return caption


def clean_keyword(text: str) -> str:
    """Return a keyword, one word of letters, digits, hyphens and underscores; "" stays.

    Raises CaptionRefused for anything else.
    """
    keyword = text.strip()
    if keyword and not _KEYWORD.fullmatch(keyword):
        raise CaptionRefused(
            _("Type one word of letters, digits, hyphens or underscores that begins with a letter or digit.")
        )
    return keyword


def has_keyword(caption: str, keyword: str) -> bool:
    """Whether the keyword stands in every line of the caption as a word of its own, in any case."""
    pattern = _word(keyword)
    return bool(caption) and all(pattern.search(line) for line in caption.split("\n"))


def with_keyword(caption: str, keyword: str, purpose: str, subject: str = "") -> str:
    """Return a clean caption with the keyword in it, as a model for `purpose` is trained on it.

    Where it is missing it comes to stand before the subject's name ("a woman reads" becomes
    "mimochi woman reads"), else at the front; for a style at the end. An empty caption becomes the shortest
    that teaches something. Without a keyword, and for a training without captions, nothing changes.
    """
    if not keyword or purpose == Purpose.EXPERIMENT:
        return caption
    lines = caption.split("\n")
    return "\n".join(_line_with_keyword(line, keyword, purpose, subject) for line in lines)


def trained_caption(dataset: Dataset, caption: str) -> str:
    """Return what a training on the dataset reads for a picture with this caption."""
    return with_keyword(caption, dataset.keyword, dataset.purpose, dataset.subject)


def ai_caption(dataset: Dataset, caption: str, *, keyword: str, subject: str) -> str:
    """Return what an AI training with words of its own reads for a picture of the dataset.

    The dataset's keyword gives way to the training's. An empty caption stays empty: the preset of what is
    learned knows several that fit.
    """
    if not caption:
        return ""
    renamed = renaming(dataset.keyword, keyword)(caption)
    return with_keyword(renamed, keyword, dataset.purpose, subject)


def kept_caption(dataset: Dataset, text: str) -> str:
    """Return a text as it is kept for a picture of the dataset: clean, with the keyword; empty stays empty.

    Raises CaptionRefused for one that is, or so becomes, too long.
    """
    caption = clean_caption(text)
    return clean_caption(trained_caption(dataset, caption)) if caption else ""


def replacement(find: str, replace: str, *, whole_words: bool = False) -> Change:
    """The change that puts `replace` in place of `find`: plain text, capitals as they are typed."""
    pattern = _word(find, re.NOFLAG) if whole_words else re.compile(re.escape(find))
    return lambda caption: pattern.sub(lambda _match: replace, caption)


def addition(before: str, after: str) -> Change:
    """The change that adds text at the front and at the end of every line.

    A space goes between, except before a comma or the like.
    """
    before, after = before.strip(), after.strip()
    gap = "" if after.startswith((",", ".", ";", ":")) else " "

    def add(line: str) -> str:
        front = f"{before} {line}".strip()
        return f"{front}{gap}{after}".strip()

    return lambda caption: "\n".join(add(line) for line in caption.split("\n"))


def filling(template: str, *, keyword: str, subject: str) -> Change:
    """The change that writes a template: {caption} is what stands there, {keyword} and {class} the words.

    Raises CaptionRefused for a placeholder that does not exist.
    """
    words = {"keyword": keyword, "class": subject}
    for name in _PLACEHOLDER.findall(template):
        if name not in {"caption", *words}:
            raise CaptionRefused(
                _("There is no {%(name)s}. Use {caption}, {keyword} and {class}.") % {"name": name}
            )

    def filled(text: str, line: str = "") -> str:
        return _PLACEHOLDER.sub(lambda match: (words | {"caption": line})[match[1]], text)

    front, around, back = template.partition("{caption}")

    def fill(line: str) -> str:
        # What the template has written once is not written around itself a second time.
        is_done = around and line.startswith(filled(front)) and line.endswith(filled(back))
        return line if is_done else " ".join(filled(template, line).split())

    return lambda caption: "\n".join(fill(line) for line in caption.split("\n"))


def renaming(old: str, new: str) -> Change:
    """The change that follows when the keyword itself changes; an old one that was empty changes nothing."""
    if not old or old == new:
        return lambda caption: caption
    pattern = _word(old)
    return lambda caption: pattern.sub(new, caption)


def following_purpose(dataset: Dataset, was: str) -> Change:
    """The change that follows when a dataset's purpose changes from `was`.

    A line that is what `was` makes of its words becomes what the purpose of now makes of them; one that was
    written by hand stays.
    """
    words = {"keyword": dataset.keyword, "class": dataset.subject}
    front, around, back = (
        _PLACEHOLDER.sub(lambda match: words[match[1]], part) if part != "{caption}" else part
        for part in TEMPLATES[Purpose(was)].partition("{caption}")
    )
    shortest = with_keyword("", dataset.keyword, was, dataset.subject)

    def follow(line: str) -> str:
        if line == shortest:
            return trained_caption(dataset, "")
        if around and line.startswith(front) and line.endswith(back):
            return trained_caption(dataset, line.removeprefix(front).removesuffix(back).strip())
        return line

    return lambda caption: "\n".join(follow(line) for line in caption.split("\n")) if caption else ""


def _line_with_keyword(line: str, keyword: str, purpose: str, subject: str) -> str:
    if _word(keyword).search(line):
        return line
    if purpose == Purpose.STYLE:
        shown = line.rstrip(" .,;") or subject or "picture"
        return f"{shown} in the style of {keyword}"
    name = f"{keyword} {subject}".strip()
    if not line:
        return f"photo of {name}"
    if subject:
        # The article goes: a name has none.
        named = re.compile(rf"(?:(?<!\w)(?:a|an|the)\s+)?{_word(subject).pattern}", re.IGNORECASE)
        if named.search(line):
            return named.sub(lambda _match: name, line, count=1)
    return f"{name}, {line}"


def _word(word: str, flags: re.RegexFlag = re.IGNORECASE) -> re.Pattern[str]:
    """What finds a word that is not part of a longer one; an edge that is no letter needs no boundary."""
    front = r"(?<!\w)" if re.match(r"\w", word) else ""
    back = r"(?!\w)" if re.search(r"\w$", word) else ""
    return re.compile(f"{front}{re.escape(word)}{back}", flags)


def _printable(line: str) -> str:
    if line.isprintable():
        return line
    # Also half surrogates, which JSON can smuggle in, and the mark that some editors put before a text.
    return "".join(
        letter for letter in line if unicodedata.category(letter) not in {"Cc", "Cs"} and letter != "\ufeff"
    )
