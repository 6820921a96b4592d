import io
from pathlib import Path

import pytest

from faultline.errors import StackError
from faultline.stack.exclusive import exclusive
from faultline.stack.progress import Progress


def test_the_second_waits_and_then_says_who_is_in_the_way(tmp_path: Path) -> None:
    lock, progress = tmp_path / "run" / "lock", Progress(io.StringIO())
    held = r"run/lock has been held for 0 s by another \./run; wait for it, or stop it"
    with exclusive(lock, progress), pytest.raises(StackError, match=held):  # noqa: SIM117 - the order is the test
        with exclusive(lock, progress, wait_seconds=0.01):
            pass


def test_the_lock_is_free_again_after_an_error(tmp_path: Path) -> None:
    lock, progress = tmp_path / "lock", Progress(io.StringIO())
    with pytest.raises(ValueError, match="inside"), exclusive(lock, progress):
        raise ValueError("inside")
    with exclusive(lock, progress, wait_seconds=0.01):
        pass
