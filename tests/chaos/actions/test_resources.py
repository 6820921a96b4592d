from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from chaos.actions import resources
from chaos.errors import TargetUnreachable
from chaos.undo import UndoLedger
from faultline.config import Paths
from faultline.shop import stores_folder
from faultline.stack.leftovers import find_leftovers

StartTarget = Callable[[str], psutil.Process]
Wait = Callable[[Callable[[], bool], str], None]
SLEEPER = "print('ready', flush=True); input()"
# Appends to the files that it is told, and says how that went.
WRITER = """
import sys
print('ready', flush=True)
for path in sys.stdin:
    try:
        with open(path.strip(), 'a') as file:
            file.write('a line\\n')
        print('written', flush=True)
    except OSError as error:
        print(error.strerror, flush=True)
"""
# Takes connections and keeps all that it is sent, until there is no room.
GREEDY = """
import select, socket
listener = socket.create_server(('127.0.0.1', {port}))
print('ready', flush=True)
kept, connections = [], [listener]
while True:
    for ready in select.select(connections, [], [])[0]:
        try:
            connections.append(listener.accept()[0]) if ready is listener else kept.append(ready.recv(1 << 20))
        except MemoryError:
            kept.clear()
            open({sign!r}, 'x').close()
            input()
"""


def undo() -> list[str]:
    return UndoLedger.from_env(os.environ).undo_all()


def require_stress_ng() -> None:
    """Skip without stress-ng on a person's machine; in CI (CI=true) its absence is a failure."""
    if shutil.which("stress-ng") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("stress-ng is not on PATH; CI must have it")
        pytest.skip("stress-ng is not on PATH; on Debian: apt-get install stress-ng")


def test_every_thread_shares_one_processor_with_busy_loops(home: Path, target: StartTarget) -> None:
    require_stress_ng()
    process = target("import threading, time\nthreading.Thread(target=input).start()\nprint('ready', flush=True)")
    allowed = process.cpu_affinity()
    if len(allowed) < 2:
        pytest.skip("one processor only")
    resources.starve_cpu("orders", 2)
    threads = [thread.id for thread in process.threads()]
    assert [os.sched_getaffinity(thread) for thread in threads] == [{max(allowed)}] * len(threads)
    assert len(UndoLedger.from_env(os.environ).pending()) == 3
    assert len(undo()) == 3
    assert [os.sched_getaffinity(thread) for thread in threads] == [set(allowed)] * len(threads)
    assert find_leftovers(Paths(home)) == []


def test_one_processor_is_not_shared(home: Path, target: StartTarget, monkeypatch: pytest.MonkeyPatch) -> None:
    process = target(SLEEPER)
    monkeypatch.setattr("chaos.actions.resources.require_program", lambda tool, environ: tool)
    process.cpu_affinity([min(process.cpu_affinity())])
    with pytest.raises(TargetUnreachable, match=r"orders may use processor \d+ only, expected 2 or more"):
        resources.starve_cpu("orders", 2)
    assert undo() == []


def test_the_processors_of_a_process_that_has_ended_or_is_another(home: Path, target: StartTarget) -> None:
    process = target(SLEEPER)
    allowed, created = process.cpu_affinity(), process.create_time()
    resources.unpin(os.environ, process.pid, created - 60, [min(allowed)])
    assert process.cpu_affinity() == allowed
    process.kill()
    process.wait()
    resources.unpin(os.environ, process.pid, created, [min(allowed)])


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_memory_grows_until_there_is_no_room(
    home: Path, target: StartTarget, eventually: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    port, sign = free_port(), home / "no room"
    monkeypatch.setenv("FAULTLINE_PORT_ORDERS", str(port))
    process = target(GREEDY.format(port=port, sign=str(sign)))
    before = process.rlimit(psutil.RLIMIT_AS)
    resources.leak_memory("orders", 16, 400)
    assert process.rlimit(psutil.RLIMIT_AS)[0] > process.memory_info().rss
    eventually(sign.exists, "the first allocation that fails")
    assert len(undo()) == 2
    assert process.rlimit(psutil.RLIMIT_AS) == before
    assert find_leftovers(Paths(home)) == []


def test_nothing_can_be_written_until_the_rollback(
    home: Path, run_stand_in: Callable[[str], subprocess.Popen[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = run_stand_in(WRITER)
    process = psutil.Process(writer.pid)
    monkeypatch.setattr("chaos.actions.resources.running_process", lambda environ, name: process)
    assert write(writer, home / "log") == "written"
    resources.fill_disk("orders")
    assert write(writer, home / "log") == "File too large"
    undo()
    assert write(writer, home / "log") == "written"


def write(writer: subprocess.Popen[str], path: Path) -> str:
    assert writer.stdin is not None
    assert writer.stdout is not None
    print(path, file=writer.stdin, flush=True)
    return writer.stdout.readline().strip()


def make_database(home: Path, service: str) -> Path:
    path = stores_folder(Paths(home)) / f"{service}.db"
    path.parent.mkdir(exist_ok=True)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE charges (id INTEGER PRIMARY KEY)")
    return path


def is_locked(path: Path) -> bool:
    with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            return str(error) == "database is locked"
        return False


def test_the_database_is_locked_until_the_rollback(home: Path, target: StartTarget, eventually: Wait) -> None:
    target(SLEEPER)
    path = make_database(home, "payments")
    assert not is_locked(path)
    resources.lock_database("payments")
    eventually(lambda: is_locked(path), "the lock")
    assert len(undo()) == 1
    assert not is_locked(path)


def test_a_service_without_a_database(home: Path, target: StartTarget) -> None:
    target(SLEEPER)
    with pytest.raises(TargetUnreachable, match=r"storefront has no database at .*storefront.db; nothing was injected"):
        resources.lock_database("storefront")
    assert undo() == []


@pytest.mark.parametrize(
    ("action", "arguments"),
    [
        (resources.starve_cpu, {"workers": 1}),
        (resources.leak_memory, {"limit_mb": 1, "mb_per_second": 1}),
        (resources.fill_disk, {}),
        (resources.lock_database, {}),
    ],
)
def test_a_service_that_is_not_there(home: Path, action: Callable[..., None], arguments: dict[str, int]) -> None:
    with pytest.raises(TargetUnreachable, match="cellar is unknown to supervisord, expected running; nothing was inj"):
        action("cellar", **arguments)
    assert undo() == []
