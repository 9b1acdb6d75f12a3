"""A record is one line, whatever somebody puts into it."""

import json
import logging

from config.logs import JsonFormatter, PlainFormatter, WithoutTraceback


def record(message, *args, exc_info=None):
    return logging.LogRecord("studio", logging.WARNING, __file__, 1, message, args, exc_info)


def test_line_breaks_and_control_characters_are_escaped():
    line = PlainFormatter().format(record("name: %s", "a\nERROR forged\r\x1b[31m\u2028b"))
    assert "\n" not in line
    assert "\\nERROR forged\\r\\x1b[31m\\u2028b" in line


def test_words_of_other_languages_stay_readable():
    assert "Žluťoučký kůň 猫" in PlainFormatter().format(record("Žluťoučký kůň 猫"))


def test_json_is_one_object_a_line_with_its_extra_fields():
    given = record("a\nb")
    given.reference = "f00d"
    line = JsonFormatter().format(given)
    assert "\n" not in line
    entry = json.loads(line)
    assert entry["message"] == "a\nb"
    assert entry["reference"] == "f00d"
    assert entry["level"] == "warning"


def test_a_traceback_is_kept():
    error = ValueError("broken")
    failed = record("failed", exc_info=(ValueError, error, None))
    assert "ValueError: broken" in PlainFormatter().format(failed)
    assert "ValueError: broken" in json.loads(JsonFormatter().format(failed))["traceback"]
    assert not WithoutTraceback().filter(failed)
    assert WithoutTraceback().filter(record("fine"))
