"""Reading a request as Stripe does, and refusing what its own published types do not allow."""

import re
from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints
from urllib.parse import parse_qsl

from typing_extensions import is_typeddict

# What every request may carry besides its parameters; it travels in headers.
_OPTIONS = {
    "api_key",
    "stripe_version",
    "stripe_account",
    "stripe_context",
    "max_network_retries",
    "idempotency_key",
    "content_type",
    "headers",
}


class RequestError(Exception):
    """A request that is answered with an error, in Stripe's shape."""

    def __init__(
        self, message: str, *, status: int = 400, kind: str = "invalid_request_error", code: str = ""
    ) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.code = code


def decode(text: str) -> dict[str, Any]:
    """Return what a form body or a query says: `a[b][0]=c` is {"a": {"b": ["c"]}}."""
    tree: dict[str, Any] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        *path, last = re.findall(r"[^\[\]]+", name)
        place = tree
        for part in path:
            place = place.setdefault(part, {})
        place[last] = value
    return {name: _listed(value) for name, value in tree.items()}


def _listed(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    inner = {name: _listed(part) for name, part in value.items()}
    return list(inner.values()) if all(name.isdecimal() for name in inner) else inner


def check(params: dict[str, Any], typed: type) -> None:
    """Raise RequestError unless names, types and enums are those of a TypedDict of the Stripe package."""
    _check_dict(params, typed, "")


@cache
def _fields(typed: type) -> dict[str, Any]:
    # The options are written with names that are imported for type checkers only.
    hints = get_type_hints(typed, localns={"StripeContext": object, "Mapping": Mapping})
    return {name: hint for name, hint in hints.items() if name not in _OPTIONS}


def _check_dict(value: Any, typed: Any, path: str) -> None:
    if not isinstance(value, dict):
        raise RequestError(f"Invalid object: {path}")
    fields = _fields(typed)
    for name, part in value.items():
        if name not in fields:
            raise RequestError(f"Received unknown parameter: {path}{name}", code="parameter_unknown")
        _check(part, fields[name], f"{path}{name}.")
    missing = typed.__required_keys__ - _OPTIONS - value.keys()
    if missing:
        raise RequestError(f"Missing required param: {path}{min(missing)}", code="parameter_missing")


def _check(value: Any, hint: Any, path: str) -> None:
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        _check_union(value, get_args(hint), path)
    elif is_typeddict(hint):
        _check_dict(value, hint, path)
    elif origin is Literal:
        if value not in get_args(hint):
            raise RequestError(f"Invalid {path}: must be one of {get_args(hint)}")
    elif origin is list:
        if not isinstance(value, list):
            raise RequestError(f"Invalid array: {path}")
        for index, part in enumerate(value):
            _check(part, get_args(hint)[0], f"{path}{index}.")
    elif origin is dict:
        if not (isinstance(value, dict) and all(isinstance(part, str) for part in value.values())):
            raise RequestError(f"Invalid hash: {path}")
    else:
        _check_scalar(value, hint, path)


def _check_union(value: Any, choices: tuple[Any, ...], path: str) -> None:
    words = [word for choice in choices if get_origin(choice) is Literal for word in get_args(choice)]
    # "Literal['a', 'b'] | str" means a or b, and what a later version of the API may add: nothing of ours.
    others = [choice for choice in choices if get_origin(choice) is not Literal]
    if any(words) and others in ([], [str]):
        others = []
    if value in words:
        return
    for choice in others:
        try:
            _check(value, choice, path)
        except RequestError:
            continue
        return
    raise RequestError(f"Invalid {path}: {value!r}")


def _check_scalar(value: Any, hint: Any, path: str) -> None:
    patterns = {int: r"-?\d+", bool: "true|false", float: r"-?\d+(\.\d+)?", Decimal: r"-?\d+(\.\d+)?"}
    is_right = isinstance(value, str) and re.fullmatch(patterns.get(hint, "(?s).*"), value) is not None
    if not is_right or hint not in (*patterns, str):
        raise RequestError(f"Invalid {getattr(hint, '__name__', hint)}: {path}")
