"""Log text on a terminal."""

from __future__ import annotations

from faultline.printing import printable


def test_control_characters_do_not_reach_the_terminal() -> None:
    assert printable("a\x1b[2Jb\r\nc\u202e") == "a?[2Jb??c?"
