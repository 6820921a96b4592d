"""The template: a frontend and two variables for every pair of services, on loopback only."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from faultline.config import REPOSITORY
from faultline.shop import CALLS
from faultline.stack.rendering import fill_in, template_values

ENVIRON = {"FAULTLINE_HOME": "/srv/f", "FAULTLINE_PORT_OFFSET": "100"}


def configuration() -> str:
    template = Path("haproxy/haproxy.cfg")
    return fill_in((REPOSITORY / template).read_text(), template_values(ENVIRON, user_id=1000), str(template))


def section(heading: str) -> str:
    found = re.search(rf"^{heading}\n((?:    .*\n)+)", configuration(), re.MULTILINE)
    assert found, f"no section {heading}"
    return found[1]


@pytest.mark.parametrize(("caller", "callee"), CALLS)
def test_each_pair_has_its_frontend_its_faults_and_its_callee(caller: str, callee: str) -> None:
    hop = f"{caller}_{callee}"
    values = template_values(ENVIRON, user_id=1000)
    assert section(f"frontend {caller}-{callee}").splitlines() == [
        f"    bind 127.0.0.1:{values[f'{hop}_port']}",
        f"    http-request lua.delay {hop} if {{ var(proc.{hop}_delay) -m int gt 0 }}",
        f"    http-request reject if {{ var(proc.{hop}_cut) -m int gt 0 }}",
        f"    default_backend {callee}",
    ]
    assert section(f"backend {callee}").strip() == f"server {callee} 127.0.0.1:{values[f'{callee}_port']}"
    assert f"set-var proc.{hop}_delay int(0)\n    set-var proc.{hop}_cut int(0)" in section("global")


def test_everything_is_bounded_and_on_loopback() -> None:
    text = configuration()
    assert {"maxconn 512", "nbthread 1"} <= {line.strip() for line in section("global").splitlines()}
    assert set(re.findall(r"timeout (\S+)", section("defaults"))) >= {"connect", "server", "client", "http-request"}
    assert {address.split(":")[0] for address in re.findall(r"(?:bind|server \S+) (\S+)", text)} == {"127.0.0.1"}
    assert "mode 600" in section("global")
