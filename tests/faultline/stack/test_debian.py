import io
from pathlib import Path

import pytest

from faultline.errors import StackError
from faultline.stack import debian
from faultline.stack.debian import ensure_programs, no_service_starts
from faultline.stack.progress import Progress


def test_policy_stands_during_the_installation_and_goes_afterwards(tmp_path: Path) -> None:
    policy = tmp_path / "policy-rc.d"
    with pytest.raises(KeyboardInterrupt), no_service_starts(policy):
        assert policy.read_text().endswith("exit 101\n")
        assert policy.stat().st_mode & 0o111
        raise KeyboardInterrupt
    assert not policy.exists()


def test_policy_left_by_a_killed_installation_is_removed(tmp_path: Path) -> None:
    policy = tmp_path / "policy-rc.d"
    policy.write_text(debian._POLICY_TEXT)
    with no_service_starts(policy):
        pass
    assert not policy.exists()


def test_policy_of_somebody_else_stays(tmp_path: Path) -> None:
    policy = tmp_path / "policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 0\n")
    with no_service_starts(policy):
        assert policy.read_text() == "#!/bin/sh\nexit 0\n"
    assert policy.exists()


def test_without_root_the_error_names_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debian.os, "geteuid", lambda: 1000)
    monkeypatch.setattr("faultline.stack.prerequisites._SYSTEM_FOLDERS", str(tmp_path))
    with pytest.raises(StackError) as caught:
        ensure_programs(["nginx", "promtool", "prometheus"], {"PATH": str(tmp_path)}, Progress(io.StringIO()))
    assert str(caught.value) == (
        "not found on PATH: nginx, prometheus, promtool. On Debian run: "
        "sudo apt-get install -y --no-install-recommends nginx-light prometheus"
    )


def test_nothing_happens_when_nothing_is_missing(tmp_path: Path) -> None:
    (tmp_path / "java").write_text("#!/bin/sh\n")
    (tmp_path / "java").chmod(0o755)
    said = io.StringIO()
    ensure_programs(["java"], {"PATH": str(tmp_path)}, Progress(said))
    assert said.getvalue() == ""
