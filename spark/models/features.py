"""The only place where an Event becomes model input; train, serve and evaluate call it."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from faultline.records import Event, Severity, SourceType

# MiniLM reads at most 128 tokens; a thousand characters hold them, and bound the cost of a 1 MB line.
MAX_TEXT_CHARS: Final = 1000
PROTECTED_PREFIX: Final = "status="  # a token that starts so is never generalised into a wildcard

_PHRASES: Final = {str(status.value): status.phrase.replace(" ", "-") for status in HTTPStatus} | {
    "499": "Client-Closed-Request"  # nginx's own
}
_DIGIT_NAMES: Final = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def event_text(event: Event) -> str:
    """Return the sentence a line amounts to: level first, then what it says, at most MAX_TEXT_CHARS.

    Status codes are spelled out (`status=Bad-Gateway`): they carry meaning, and digits will be masked.
    """
    is_access = event.source_type is SourceType.NGINX_ACCESS
    return (_access_text(event) if is_access else _message_text(event))[:MAX_TEXT_CHARS]


def status_token(code: str) -> str:
    """Return a status code as a protected word.

    >>> status_token("502"), status_token("599")
    ('status=Bad-Gateway', 'status=five-nine-nine')
    """
    spelled = "-".join(_DIGIT_NAMES[int(digit)] if digit in "0123456789" else digit for digit in code[:8])
    return PROTECTED_PREFIX + _PHRASES.get(code, spelled)


def _access_text(event: Event) -> str:
    code = event.attributes.get("http.response.status_code")
    path = event.attributes.get("url.path")
    if not code or not path:
        return _message_text(event)
    method = event.attributes.get("http.request.method", "-")
    return f"{status_token(code)} {method} {path[:MAX_TEXT_CHARS]}"


def _message_text(event: Event) -> str:
    level = "" if event.severity is Severity.UNSPECIFIED else f"{event.severity} "
    text = level + event.body[:MAX_TEXT_CHARS]
    trace = event.attributes.get("exception.stacktrace", "").rstrip()
    if trace:
        # The last line of a Python trace names the error; the frames above it vary with every release.
        error = " exception: " + trace.rsplit("\n", 1)[-1][:200]
        text = text[: MAX_TEXT_CHARS - len(error)] + error  # a long message must not push it out
    return text
