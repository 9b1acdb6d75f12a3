"""The little English that captions need."""

VOWELS = "aeiou"


def article_for(words: str) -> str:
    """The indefinite article that fits before ``words``."""
    starts_with_vowel = words[0].lower() in VOWELS and not words.startswith("uni")
    return "an" if starts_with_vowel else "a"
