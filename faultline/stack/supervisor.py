"""supervisord keeps the programs running; we write its configuration and talk to it over a Unix socket."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import tempfile
import xmlrpc.client
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from supervisor.xmlrpc import Faults, SupervisorTransport, UnixStreamHTTPConnection

from faultline.config import Environ, Paths
from faultline.errors import StackError
from faultline.stack.program import Program
from faultline.stack.scripts import MARKER

START_SECONDS = 3  # a program that ends sooner did not start
_REPLY_SECONDS = 10.0
# Linux takes 107 bytes; supervisord binds `<socket>.<pid>` first and renames it.
_SOCKET_BYTES = 95
_DOWN_STATES = frozenset({"STOPPED", "EXITED", "FATAL", "UNKNOWN"})

_HEADER = """\
; Written at every start of supervisord; edits are lost.
[unix_http_server]
file={socket}
chmod=0700
[supervisord]
logfile=%(here)s/../log/supervisord.log
logfile_maxbytes=5MB
logfile_backups=1
pidfile=%(here)s/supervisord.pid
identifier=faultline
{user}
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
"""
# Back-off grows by a second each time: 20 tries are three and a half minutes until FATAL.
_PROGRAM = """
[program:{name}]
command=/bin/sh "%(here)s/{name}.sh"
autostart=false
autorestart=true
startsecs={start_seconds}
startretries=20
stopsignal={stop_signal}
stopwaitsecs={stop_seconds}
stopasgroup={stop_group}
killasgroup=true
redirect_stderr=true
stdout_logfile=%(here)s/../log/{name}.log
stdout_logfile_maxbytes=10MB
stdout_logfile_backups=2
"""


@dataclass(frozen=True)
class ProcessState:
    """What supervisord knows of a program; `started` is Unix time in seconds, 0 when it never ran."""

    name: str
    state: str  # STOPPED STARTING RUNNING BACKOFF STOPPING EXITED FATAL UNKNOWN
    pid: int
    started: int
    detail: str

    @property
    def is_down(self) -> bool:
        return self.state in _DOWN_STATES

    @property
    def is_alive(self) -> bool:
        return self.state in {"STARTING", "RUNNING"}


def socket_path(paths: Paths) -> Path:
    """Return the socket's place: the run folder, or a short private one when that path does not do.

    A socket's path is short by the kernel's rule, and supervisord's configuration cannot quote `%`, `;` and `#`.
    """
    path = paths.run / "supervisor.sock"
    if len(os.fsencode(path)) <= _SOCKET_BYTES and not set("%;#") & set(str(path)):
        return path
    digest = sha256(os.fsencode(paths.home)).hexdigest()[:10]
    return Path(tempfile.gettempdir()) / f"faultline-{os.getuid()}-{digest}" / "supervisor.sock"


def configuration(programs: Iterable[Program], socket: Path, user_id: int) -> str:
    """Return the text of supervisord.conf; every program waits to be started by name."""
    header = _HEADER.format(socket=socket, user="user=root" if user_id == 0 else "")
    sections = (
        _PROGRAM.format(
            name=program.name,
            start_seconds=START_SECONDS,
            stop_signal=program.stop_signal,
            stop_group=str(program.stop_group).lower(),
            stop_seconds=program.stop_seconds,
        )
        for program in programs
    )
    return header + "".join(sections)


class Supervisor:
    """The supervisord of one home; every call asks it anew."""

    def __init__(self, environ: Environ) -> None:
        self._environ = environ
        self._paths = Paths.from_env(environ)
        self.socket = socket_path(self._paths)

    def pid(self) -> int | None:
        """Return its process id, or None when none answers."""
        try:
            return int(self._call("getPID"))
        except (OSError, http.client.HTTPException):
            return None

    def states(self) -> dict[str, ProcessState]:
        """Return the state of every program by name; empty when no supervisord answers."""
        try:
            rows = self._call("getAllProcessInfo")
        except (OSError, http.client.HTTPException):
            return {}
        return {
            row["name"]: ProcessState(row["name"], row["statename"], row["pid"], row["start"], row["spawnerr"])
            for row in rows
        }

    def launch(self, programs: Iterable[Program]) -> None:
        """Start supervisord as a daemon in a session of its own, so that Ctrl-C does not reach the programs."""
        self._make_private(self.socket.parent)
        self._paths.logs.mkdir(parents=True, exist_ok=True)
        conf = self._paths.run / "supervisord.conf"
        conf.write_text(configuration(programs, self.socket, os.geteuid()))
        argv = [sys.executable, "-m", "supervisor.supervisord", "-c", str(conf)]
        result = subprocess.run(argv, capture_output=True, text=True, env=self._daemon_environment(), check=False)
        if result.returncode != 0:
            raise StackError(f"supervisord refused {conf}: {(result.stdout + result.stderr).strip()}")
        deadline = monotonic() + _REPLY_SECONDS
        while self.pid() is None:
            if monotonic() > deadline:
                raise StackError(f"supervisord does not answer on {self.socket}; see {self._paths.logs}")
            sleep(0.05)

    def start(self, name: str) -> None:
        """Ask for a start and return at once; a program that is starting or running stays as it is."""
        self._ask("startProcess", name, Faults.ALREADY_STARTED)

    def stop(self, name: str) -> None:
        """Ask for a stop and return at once."""
        self._ask("stopProcess", name, Faults.NOT_RUNNING)

    def shutdown(self) -> None:
        """Ask it to end; returns at once."""
        self._call("shutdown")

    def forget_socket(self) -> None:
        """Remove the socket of a supervisord that has ended, and the folder made for it alone."""
        self.socket.unlink(missing_ok=True)
        if self.socket.parent != self._paths.run and self.socket.parent.is_dir():
            self.socket.parent.rmdir()

    def _ask(self, method: str, name: str, harmless: int) -> None:
        try:
            self._call(method, name, False)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode == Faults.BAD_NAME:
                problem = f"the running stack knows no program {name!r}; ./run down, then ./run up"
                raise StackError(problem) from fault
            if fault.faultCode != harmless:
                raise StackError(f"supervisord: {method} {name} failed: {fault.faultString}") from fault

    def _call(self, method: str, *args: object) -> Any:
        transport = SupervisorTransport(None, None, f"unix://{self.socket}")
        transport._get_connection = self._connection
        proxy = xmlrpc.client.ServerProxy("http://localhost", transport)
        try:
            return getattr(proxy.supervisor, method)(*args)
        finally:
            transport.close()

    def _connection(self) -> Any:
        """Connect with a time limit; the package's own connection waits for ever on a supervisord that hangs."""
        connection = UnixStreamHTTPConnection("localhost")
        connection.socketfile = str(self.socket)
        try:
            connection.connect()
        except OSError:
            connection.sock.close()
            raise
        connection.sock.settimeout(_REPLY_SECONDS)
        return connection

    def _daemon_environment(self) -> dict[str, str]:
        """Without our settings: each launch script brings its own, so one that was unset is gone."""
        inherited = {key: value for key, value in self._environ.items() if not key.startswith("FAULTLINE_")}
        return {**inherited, MARKER: str(self._paths.home)}

    def _make_private(self, folder: Path) -> None:
        self._paths.run.mkdir(parents=True, exist_ok=True)
        if folder == self._paths.run:
            return
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.is_symlink() or folder.stat().st_uid != os.getuid():
            raise StackError(f"{folder} belongs to another user; remove it, or set FAULTLINE_HOME to a shorter path")
