"""A line that should be one JSON object."""

from __future__ import annotations

from typing import Any

import msgspec

_DECODER = msgspec.json.Decoder(dict[str, Any])


def read_object(line: bytes) -> dict[str, Any] | str:
    """Return the object, or why the line is none.

    Bytes that are not UTF-8 become U+FFFD: a scanner's user agent must not hide the status of its request.
    """
    try:
        return _DECODER.decode(line)
    except UnicodeDecodeError:
        return read_object(line.decode("utf-8", "replace").encode())
    except (msgspec.MsgspecError, RecursionError) as error:
        return str(error)
