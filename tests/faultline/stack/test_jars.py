"""Jars are fetched once, whole or not at all, as locked; what goes wrong is said with what to do."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path

import pytest

from faultline.errors import StackError
from faultline.stack import jars
from faultline.stack.versions import connector_coordinates, kafka_coordinates


def make_settings(folder: Path, files: dict[str, bytes]) -> str:
    """Return Ivy settings for a repository on disk that holds some files."""
    for name, content in files.items():
        path = folder / "repository" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    settings = folder / "ivysettings.xml"
    pattern = f"{folder}/repository/[artifact]-[revision].[ext]"
    settings.write_text(
        f"""<ivysettings>
          <settings defaultResolver="disk"/>
          <caches defaultCacheDir="{folder}/cache"/>
          <resolvers><filesystem name="disk"><artifact pattern="{pattern}"/></filesystem></resolvers>
        </ivysettings>"""
    )
    return str(settings)


def environ_of(home: Path, files: dict[str, bytes]) -> dict[str, str]:
    return {**os.environ, "FAULTLINE_HOME": str(home), "FAULTLINE_IVY_SETTINGS": make_settings(home, files)}


def lock(monkeypatch: pytest.MonkeyPatch, folder: Path, **digests: bytes) -> None:
    """Make a lock file that lists one jar `org.example:<name>:1.0` for each content."""
    lines = [f"org.example:{name}:1.0 {sha256(content).hexdigest()}" for name, content in digests.items()]
    (folder / "small-jars.txt").write_text("# a comment\n\n" + "\n".join(lines))
    monkeypatch.setattr(jars, "LOCKS", folder)


@pytest.mark.parametrize(
    ("name", "coordinates"), [("kafka", kafka_coordinates), ("spark-kafka", connector_coordinates)]
)
def test_the_lock_holds_what_is_asked_for_by_default(name: str, coordinates: object) -> None:
    locked = jars.read_lock(name)
    assert callable(coordinates)
    assert set(coordinates({})) <= set(locked)
    assert {len(digest) for digest in locked.values()} == {64}


def test_the_lock_of_the_connector_holds_nothing_that_spark_brings() -> None:
    brought = {path.name.rsplit("-", 1)[0] for path in (jars.pyspark_home() / "jars").glob("*.jar")}
    assert {coordinate.split(":")[1] for coordinate in jars.read_lock("spark-kafka")} & brought == set()


@pytest.mark.integration
def test_locked_jars_are_fetched_once_and_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock(monkeypatch, tmp_path, a=b"jar a", b=b"jar b")
    environ = environ_of(tmp_path, {"a-1.0.jar": b"jar a", "b-1.0.jar": b"jar b"})
    folder = jars._resolved("small", ["org.example:a:1.0"], environ)
    assert sorted(path.name for path in folder.iterdir()) == ["a-1.0.jar", "b-1.0.jar"]
    (tmp_path / "repository" / "a-1.0.jar").unlink()
    assert jars._resolved("small", ["org.example:a:1.0"], environ) == folder


@pytest.mark.integration
def test_a_jar_that_was_altered_is_refused_and_nothing_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock(monkeypatch, tmp_path, a=b"jar a")
    environ = environ_of(tmp_path, {"a-1.0.jar": b"jar A"})
    with pytest.raises(StackError, match=r"org\.example:a:1\.0: fetched a jar with SHA-256 .*nothing was kept\."):
        jars._resolved("small", ["org.example:a:1.0"], environ)
    assert list((tmp_path / "jars").iterdir()) == []


@pytest.mark.integration
def test_a_version_that_is_not_there_is_named_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock(monkeypatch, tmp_path)
    with pytest.raises(StackError) as caught:
        jars._resolved("small", ["org.example:gone:9.9"], environ_of(tmp_path, {}))
    text = str(caught.value)
    assert text.startswith("could not fetch org.example:gone:9.9 from Maven Central:")
    assert "FAULTLINE_IVY_SETTINGS" in text.splitlines()[-1]
    assert list((tmp_path / "jars").iterdir()) == []


def test_without_java_the_command_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock(monkeypatch, tmp_path)
    with pytest.raises(
        StackError, match="java is not on PATH, expected Java 17 or 21; on Debian: apt-get install open"
    ):
        jars._resolved("small", ["org.example:a:1.0"], {**environ_of(tmp_path, {}), "PATH": str(tmp_path)})


def test_a_second_process_that_was_quicker_wins(tmp_path: Path) -> None:
    for name in ("source", "target"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.jar").write_text(name)
    jars._publish(tmp_path / "source", tmp_path / "target")
    assert (tmp_path / "target" / "a.jar").read_text() == "target"
    with pytest.raises(OSError, match="No such file"):
        jars._publish(tmp_path / "gone", tmp_path / "nowhere")
