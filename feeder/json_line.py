"""A line that should be one JSON object."""

from __future__ import annotations

from typing import Any

import msgspec

_DECODER = msgspec.json.Decoder(dict[str, Any])


def read_object(line: bytes) -> dict[str, Any] | str:
    """Return the object, or why the line is none."""
    try:
        return _DECODER.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return str(error)
