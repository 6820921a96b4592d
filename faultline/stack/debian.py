"""Install missing programs on Debian as root, without leaving the services their packages would start."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from faultline.config import Environ, Paths
from faultline.errors import StackError
from faultline.stack.prerequisites import missing_programs, missing_text, packages_of
from faultline.stack.progress import Progress

POLICY = Path("/usr/sbin/policy-rc.d")
_POLICY_TEXT = "#!/bin/sh\n# Written by faultline while it installs packages: start no service.\nexit 101\n"
_INSTALL = ("install", "-y", "--no-install-recommends")


def ensure_programs(tools: Sequence[str], environ: Environ, progress: Progress) -> None:
    """Install what is missing of `tools` when this is Debian and we are root; StackError otherwise."""
    missing = missing_programs(tools, environ)
    if not missing:
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise StackError(missing_text(missing))
    packages = packages_of(missing)
    with progress.step(f"installing {' '.join(packages)} with apt-get"), no_service_starts(POLICY):
        _apt_get(["update"], environ)
        _apt_get([*_INSTALL, *packages], environ)
    _disable_services(packages)
    still = missing_programs(tools, environ)
    if still:
        raise StackError(f"apt-get installed {' '.join(packages)}, yet {missing_text(still)}")


@contextmanager
def no_service_starts(policy: Path) -> Iterator[None]:
    """Tell Debian's package scripts to start no service; a policy somebody else wrote stays as it is."""
    foreign = policy.exists() and policy.read_text() != _POLICY_TEXT
    if foreign:
        yield
        return
    policy.write_text(_POLICY_TEXT)
    policy.chmod(0o755)
    try:
        yield
    finally:
        policy.unlink(missing_ok=True)


def _disable_services(packages: Sequence[str]) -> None:
    """Keep the new services from coming up, and taking our ports, at the next boot."""
    systemctl = shutil.which("systemctl")
    services = ["nginx" if package == "nginx-light" else package for package in packages]
    services = [name for name in services if Path(f"/lib/systemd/system/{name}.service").exists()]
    if systemctl is None or not services:
        return
    result = subprocess.run([systemctl, "disable", *services], capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise StackError(f"systemctl disable {' '.join(services)} failed: {result.stderr.strip()}")


def _apt_get(args: Sequence[str], environ: Environ) -> None:
    log = Paths.from_env(environ).logs / "apt.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    command = ["apt-get", "-o", "DPkg::Lock::Timeout=120", *args]
    with log.open("ab") as output:
        result = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**environ, "DEBIAN_FRONTEND": "noninteractive"},
            check=False,
        )
    if result.returncode != 0:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-10:])
        raise StackError(f"{' '.join(command)} failed with exit {result.returncode}; last lines of {log}:\n{tail}")
