"""How one setting is read from the mapping that is passed in, and what a bad one is told."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from math import inf
from typing import TypeVar

from faultline.errors import ConfigError

T = TypeVar("T")


def read(environ: Mapping[str, str], key: str, default: T, parse: Callable[[str], T], expected: str) -> T:
    """Return `parse(environ[key])`, or the default when unset; ConfigError names key, value, expected."""
    text = environ.get(key)
    if text is None:
        return default
    try:
        return parse(text)
    except ValueError as error:
        raise ConfigError(key, text, expected) from error


N = TypeVar("N", int, float)


def _at_least(low: N, parse: Callable[[str], N]) -> Callable[[str], N]:
    def check(text: str) -> N:
        value = parse(text)
        if not low <= value < inf:  # not-a-number fails this too
            raise ValueError(text)
        return value

    return check


def read_int(environ: Mapping[str, str], key: str, default: int, low: int = 0) -> int:
    """Return a whole number of at least `low`."""
    return read(environ, key, default, _at_least(low, int), f"a whole number, at least {low}")


def read_float(environ: Mapping[str, str], key: str, default: float, low: float = 0.0) -> float:
    """Return a number of at least `low`."""
    return read(environ, key, default, _at_least(low, float), f"a number, at least {low:g}")


def aware_time(text: str) -> datetime | None:
    """Parse an ISO 8601 time that says its zone."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(text)
    return moment


def read_session_pattern(environ: Mapping[str, str], key: str) -> str:
    """Return a RE2 expression whose group `key` finds the key of a session in a line's text; "" when unset."""
    expected = "a RE2 expression; its group (?P<key>...), or all of it, is a session's key; other groups as (?:...)"
    return read(environ, key, "", _session_pattern, expected)


def _session_pattern(text: str) -> str:
    import pyarrow as pa  # 0.2 s that only the training jobs spend
    import pyarrow.compute as pc

    pattern = text if "(?P<key>" in text or not text else f"(?P<key>{text})"
    if pattern:
        pc.extract_regex(pa.array([""]), pattern=pattern)  # ArrowInvalid is a ValueError
    return pattern


def read_alias(environ: Mapping[str, str], key: str, default: str) -> str:
    """Return the name of an alias of the model registry."""
    return read(environ, key, default, _alias, "letters, digits, _ and -, not a version number")


def _alias(text: str) -> str:
    """Refuse what MLflow refuses, and what could lead out of the folder of models."""
    if not re.fullmatch(r"(?![vV]?\d+$|(?i:latest)$)[A-Za-z0-9][\w-]{0,99}", text, re.ASCII):
        raise ValueError(text)
    return text


def one_of(*choices: str) -> Callable[[str], str]:
    """Return a parser that lets these texts through."""

    def check(text: str) -> str:
        if text not in choices:
            raise ValueError(text)
        return text

    return check
