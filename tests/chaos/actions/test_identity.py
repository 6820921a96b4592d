import os
import subprocess
import sys

import psutil

from chaos.actions.identity import find_again


def test_the_same_process() -> None:
    found = find_again(os.getpid(), psutil.Process().create_time())
    assert found is not None
    assert found.pid == os.getpid()


def test_a_number_that_another_process_has_by_now() -> None:
    assert find_again(os.getpid(), psutil.Process().create_time() - 60) is None


def test_a_process_that_has_ended() -> None:
    with subprocess.Popen([sys.executable, "-c", ""], stdin=subprocess.DEVNULL) as process:
        created = psutil.Process(process.pid).create_time()
    assert find_again(process.pid, created) is None
