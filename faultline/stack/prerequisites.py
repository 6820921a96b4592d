"""What must be true before anything starts: programs, the Java version, free ports, free disk."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from faultline.config import Environ
from faultline.errors import StackError

JAVA_VERSIONS = (17, 21)  # what both Spark 4.0 and Kafka 4.1 are released for
FREE_BYTES = 2 * 1024**3
_SYSTEM_FOLDERS = "/usr/local/sbin:/usr/sbin:/sbin"  # not on the PATH of ordinary users on Debian


@dataclass(frozen=True)
class Tool:
    """A program that is not ours: the names it may have on PATH, and the Debian package that brings it."""

    names: tuple[str, ...]
    package: str


TOOLS: Mapping[str, Tool] = {
    "java": Tool(("java",), "openjdk-17-jre-headless"),
    "nginx": Tool(("nginx",), "nginx-light"),
    "haproxy": Tool(("haproxy",), "haproxy"),
    "prometheus": Tool(("prometheus",), "prometheus"),
    "promtool": Tool(("promtool",), "prometheus"),
    "alertmanager": Tool(("prometheus-alertmanager", "alertmanager"), "prometheus-alertmanager"),
    "amtool": Tool(("amtool",), "prometheus-alertmanager"),
    "node_exporter": Tool(("prometheus-node-exporter", "node_exporter"), "prometheus-node-exporter"),
    "stress-ng": Tool(("stress-ng",), "stress-ng"),
}


def find_program(tool: str, environ: Environ) -> str | None:
    """Return the path of a tool of TOOLS, also from the system folders, or None."""
    path = f"{environ.get('PATH', os.defpath)}:{_SYSTEM_FOLDERS}"
    found = (shutil.which(name, path=path) for name in TOOLS[tool].names)
    return next((program for program in found if program), None)


def require_program(tool: str, environ: Environ) -> str:
    """Return the path of a tool; StackError names the command that installs it."""
    program = find_program(tool, environ)
    if program is None:
        raise StackError(missing_text([tool]))
    return program


def missing_programs(tools: Iterable[str], environ: Environ) -> list[str]:
    """Return those of `tools` that are not installed, in the order of TOOLS."""
    wanted = set(tools)
    return [tool for tool in TOOLS if tool in wanted and find_program(tool, environ) is None]


def packages_of(tools: Iterable[str]) -> list[str]:
    """Return the Debian packages of `tools`, each once."""
    return list(dict.fromkeys(TOOLS[tool].package for tool in tools))


def missing_text(tools: Iterable[str]) -> str:
    """Return the error for missing programs, with the one command that helps."""
    names = [TOOLS[tool].names[0] for tool in tools]
    packages = " ".join(packages_of(tools))
    return (
        f"not found on PATH: {', '.join(names)}. On Debian run: "
        f"sudo apt-get install -y --no-install-recommends {packages}"
    )


def check_java(environ: Environ) -> int:
    """Return the major version of the Java on PATH; StackError when Spark or Kafka would not run on it."""
    java = require_program("java", environ)
    result = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=60, check=False)
    output = result.stdout + result.stderr
    version = java_major(output)
    if version not in JAVA_VERSIONS:
        said = output.strip().splitlines()[0] if output.strip() else f"nothing (exit {result.returncode})"
        raise StackError(
            f"{java} is Java {version or 'of unknown version'} (it says: {said}), expected "
            f"{' or '.join(map(str, JAVA_VERSIONS))}. On Debian run: sudo apt-get install -y "
            f"--no-install-recommends {TOOLS['java'].package} and put its java first on PATH"
        )
    return version


def java_major(output: str) -> int | None:
    """Return the major version in the output of `java -version`, or None.

    >>> java_major('openjdk version "17.0.15" 2025-04-15'), java_major('java version "1.8.0_401"')
    (17, 8)
    """
    match = re.search(r'version "(?:1\.)?(\d+)', output)
    return int(match.group(1)) if match else None


def check_ports(ports: Mapping[int, str]) -> None:
    """Raise StackError when a port (number -> name of the program that wants it) cannot be bound on 127.0.0.1."""
    taken = [
        f"port {port} of {name} is taken by {port_holder(port)}"
        for port, name in ports.items()
        if not is_port_free(port)
    ]
    if taken:
        raise StackError(
            f"{'; '.join(taken)}. Stop it, or move the whole stack with FAULTLINE_PORT_OFFSET=1000 "
            "(or one program with FAULTLINE_PORT_<NAME>)"
        )


def is_port_free(port: int) -> bool:
    """True when a server could bind the port on 127.0.0.1 now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do it: a connection that lingers after a restart is no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def port_holder(port: int) -> str:
    """Return name and pid of the process that listens on a port, as far as this user may see it."""
    try:
        connections = psutil.net_connections(kind="tcp")
    except psutil.AccessDenied:
        return "a process this user may not see"
    for connection in connections:
        local = connection.laddr
        if connection.status == psutil.CONN_LISTEN and connection.pid and local and local.port == port:
            return f"{_process_name(connection.pid)} (pid {connection.pid})"
    return "a process this user may not see"


def _process_name(pid: int) -> str:
    try:
        return psutil.Process(pid).name()
    except psutil.Error:
        return "a process that just ended"


def check_disk(folder: Path, needed_bytes: int = FREE_BYTES) -> None:
    """Raise StackError when the file system of `folder` (which need not exist yet) has too little room."""
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    if free < needed_bytes:
        raise StackError(
            f"{existing}: {free / 1e9:.1f} GB free, expected at least {needed_bytes / 1e9:.1f} GB for records, "
            "metrics and logs. Free some space, or point FAULTLINE_HOME at a larger disk"
        )
