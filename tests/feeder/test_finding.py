import logging
import os
import resource
import tempfile
from pathlib import Path

import pytest

from faultline.records import SourceType
from feeder.app_container_log import parse_plain
from feeder.finding import (
    Refusals,
    allow_many_open_files,
    find_files,
    key_of,
    names_in,
    open_regular,
    rotations_in,
)
from feeder.sources import FileSource


def source(pattern: str) -> FileSource:
    return FileSource(SourceType.NGINX_ACCESS, pattern, "s", parse_plain, from_end=False)


@pytest.fixture
def failed():
    return []


@pytest.fixture
def refusals(failed):
    return Refusals(failed.append)


def test_every_match_of_every_pattern(tmp_path, refusals):
    for name in ("a.log", "b.log", "c.txt"):
        (tmp_path / name).touch()
    logs, text = source(f"{tmp_path}/*.log"), source(f"{tmp_path}/c.txt")
    found = find_files([logs, text, source(f"{tmp_path}/none-*")], refusals)
    assert found == {f"{tmp_path}/a.log": logs, f"{tmp_path}/b.log": logs, f"{tmp_path}/c.txt": text}


def test_of_two_sources_the_first_has_the_file(tmp_path, refusals):
    (tmp_path / "a.log").touch()
    first = source(f"{tmp_path}/a.log")
    assert find_files([first, source(f"{tmp_path}/*.log")], refusals) == {f"{tmp_path}/a.log": first}


def test_compressed_file_is_left_out_and_that_is_said_once(tmp_path, refusals, failed, caplog):
    (tmp_path / "a.log.2.gz").touch()
    for _ in range(3):
        assert find_files([source(f"{tmp_path}/a.log*")], refusals) == {}
    [record] = caplog.records
    assert "a compressed file; narrow the pattern, or send it with python -m feeder.replay" in record.getMessage()
    assert failed == []


def test_name_that_is_not_utf8_is_left_out(tmp_path, refusals, caplog):
    Path(os.fsdecode(bytes(tmp_path) + b"/\xff.log")).touch()
    assert find_files([source(f"{tmp_path}/*.log")], refusals) == {}
    assert "its name is not UTF-8; rename it" in caplog.text


def test_folder_that_is_not_there_yet_is_no_failure(tmp_path, refusals, failed, caplog):
    assert find_files([source(f"{tmp_path}/later/*/*.log")], refusals) == {}
    assert (failed, caplog.records) == ([], [])


@pytest.fixture
def as_nobody():
    """An ordinary user for the length of a test: root may read everything. Yields a folder of root's."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user; run as root to see what a user without rights gets")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "closed").mkdir(mode=0o700)
        (folder / "secret.log").touch(mode=0o600)
        os.seteuid(65534)
        try:
            yield folder
        finally:
            os.seteuid(0)


def test_folder_that_may_not_be_listed_is_said_once_and_counted_each_time(as_nobody, refusals, failed, caplog):
    for _ in range(3):
        assert find_files([source(f"{as_nobody}/closed/*.log")], refusals) == {}
    [record] = caplog.records
    assert record.getMessage() == "not read: the folder cannot be listed (Permission denied); let this user read it"
    assert record.path == f"{as_nobody}/closed"
    assert failed == [SourceType.NGINX_ACCESS] * 3


def test_file_that_may_not_be_read(as_nobody):
    with pytest.raises(PermissionError):
        open_regular(str(as_nobody / "secret.log"))


def test_reason_is_said_again_when_it_changed_or_came_back(refusals, caplog):
    caplog.set_level(logging.WARNING)
    for reason in ("a", "a", "b", "a"):
        refusals.say("p", source("p"), reason)
    refusals.forget("p")
    refusals.say("p", source("p"), "a")
    assert [record.getMessage()[-1] for record in caplog.records] == ["a", "b", "a", "a"]


def test_named_pipe_and_folder_are_not_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.log")
    for path in (tmp_path, tmp_path / "pipe.log"):
        with pytest.raises(OSError, match="not a regular file; narrow the pattern"):
            open_regular(str(path))


def test_keys(tmp_path):
    (tmp_path / "a").touch()
    (tmp_path / "link").symlink_to("a")
    (tmp_path / "broken").symlink_to("nowhere")
    assert key_of(str(tmp_path / "a")) == key_of(str(tmp_path / "link")) is not None
    assert key_of(str(tmp_path / "broken")) is None


def test_names_in_a_folder(tmp_path):
    (tmp_path / "a").touch()
    (tmp_path / "broken").symlink_to("nowhere")
    assert names_in(tmp_path) == {key_of(str(tmp_path / "a")): str(tmp_path / "a")}
    assert names_in(tmp_path / "missing") == {}


def test_as_many_files_as_the_hard_limit_allows():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
        limit = allow_many_open_files()
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (limit, hard)
        assert limit == (65_536 if hard == resource.RLIM_INFINITY else min(hard, 65_536))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_names_that_a_file_may_have_been_rotated_to(tmp_path):
    rotated = ["app.log.1", "app.log.12", "app.log-20260131", "app.log.2026-01-31_10:00", "app.log.old", "app.1.log"]
    rotated += ["app-2026-01-31.log", "app-2026-01-31T10.log"]
    others = ["app.log", "app.log.1.gz", "app-worker.log", "app.log.worker", "app2.log", "xapp.log.1", "app.json.1"]
    for number, name in enumerate([*rotated, *others]):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (0, 1000 + number))
    assert [Path(path).name for path in rotations_in(tmp_path, "app.log", 0)] == rotated
    assert [Path(path).name for path in rotations_in(tmp_path, "app.log", 1006)] == rotated[6:]
    assert rotations_in(tmp_path / "missing", "app.log", 0) == []


def test_rotations_of_a_name_without_suffix(tmp_path):
    for name in ("syslog", "syslog.1", "syslogger", "1"):
        (tmp_path / name).touch()
    assert rotations_in(tmp_path, "syslog", 0) == [f"{tmp_path}/syslog.1"]
