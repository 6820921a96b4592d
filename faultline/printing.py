"""Log text on a terminal: it is hostile, and must not be obeyed."""

from __future__ import annotations


def printable(text: str) -> str:
    """Return log text without control characters: a terminal must not obey it.

    >>> printable("a\x1b[31mb")
    'a?[31mb'
    """
    return "".join(character if character.isprintable() else "?" for character in text)
