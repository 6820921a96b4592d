import os
import socket
from pathlib import Path

import pytest

from faultline.errors import StackError
from faultline.stack import prerequisites
from faultline.stack.prerequisites import (
    check_disk,
    check_java,
    check_ports,
    find_program,
    java_major,
    missing_programs,
    require_program,
)


@pytest.fixture
def only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """An environment in which only the programs of a fake folder exist."""
    monkeypatch.setattr(prerequisites, "_SYSTEM_FOLDERS", str(tmp_path / "none"))
    return {"PATH": str(tmp_path / "bin")}


def add_program(environ: dict[str, str], name: str, script: str) -> None:
    path = Path(environ["PATH"]) / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def add_java(environ: dict[str, str], version: str) -> None:
    add_program(environ, "java", f"echo 'openjdk version \"{version}\" 2020-01-01' >&2")


@pytest.mark.parametrize("version", ["17.0.15", "21.0.2", "17-ea", "21"])
def test_java_of_both_supported_versions_passes(only: dict[str, str], version: str) -> None:
    add_java(only, version)
    assert check_java(only) == int(version[:2])


@pytest.mark.parametrize(("version", "major"), [("11.0.20", 11), ("1.8.0_401", 8), ("25", 25)])
def test_other_java_is_refused_with_the_command(only: dict[str, str], version: str, major: int) -> None:
    add_java(only, version)
    with pytest.raises(StackError) as caught:
        check_java(only)
    assert f'is Java {major} (it says: openjdk version "{version}" 2020-01-01), expected 17 or 21' in str(caught.value)
    assert "sudo apt-get install -y --no-install-recommends openjdk-17-jre-headless" in str(caught.value)


def test_java_that_says_nothing_is_refused(only: dict[str, str]) -> None:
    add_program(only, "java", "exit 127")
    with pytest.raises(StackError, match=r"is Java of unknown version \(it says: nothing \(exit 127\)\)"):
        check_java(only)


def test_no_java_names_the_one_command(only: dict[str, str]) -> None:
    with pytest.raises(StackError) as caught:
        check_java(only)
    assert str(caught.value) == (
        "not found on PATH: java. On Debian run: "
        "sudo apt-get install -y --no-install-recommends openjdk-17-jre-headless"
    )


def test_java_major_of_text_without_a_version() -> None:
    assert java_major("command not found") is None


def test_missing_programs_share_one_package_once(only: dict[str, str]) -> None:
    assert missing_programs(["amtool", "alertmanager", "promtool"], only) == ["promtool", "alertmanager", "amtool"]
    assert prerequisites.packages_of(["alertmanager", "amtool"]) == ["prometheus-alertmanager"]


def test_upstream_names_are_found_too(only: dict[str, str]) -> None:
    add_program(only, "alertmanager", "true")
    assert require_program("alertmanager", only).endswith("/bin/alertmanager")


def test_system_folders_are_searched(only: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add_program({"PATH": str(tmp_path / "sbin")}, "nginx", "true")
    monkeypatch.setattr(prerequisites, "_SYSTEM_FOLDERS", str(tmp_path / "sbin"))
    assert find_program("nginx", only) == str(tmp_path / "sbin" / "nginx")


def test_taken_port_names_program_holder_and_remedy() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(StackError) as caught:
            check_ports({port: "kafka"})
    assert f"port {port} of kafka is taken by " in str(caught.value)
    assert f"(pid {os.getpid()})" in str(caught.value)
    assert "FAULTLINE_PORT_OFFSET=1000" in str(caught.value)


def test_port_taken_on_all_addresses_is_taken() -> None:
    everywhere = ("0.0.0.0", 0)  # noqa: S104 - the case under test
    with socket.create_server(everywhere) as listener, pytest.raises(StackError, match="of nginx is taken by"):
        check_ports({listener.getsockname()[1]: "nginx"})


def test_free_port_passes() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    check_ports({port: "kafka"})


def test_little_disk_says_how_much_is_there_and_needed(tmp_path: Path) -> None:
    with pytest.raises(
        StackError, match=r"GB free, expected at least 1000000\.0 GB .* FAULTLINE_HOME at a larger disk"
    ):
        check_disk(tmp_path / "not" / "there" / "yet", needed_bytes=10**15)
