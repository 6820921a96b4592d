"""Fetch the JVM parts once with the Apache Ivy that ships inside PySpark; afterwards start without a network."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from faultline.config import REPOSITORY, Environ, Paths
from faultline.errors import StackError
from faultline.stack import versions

LOCKS = REPOSITORY / "requirements"  # <name>-jars.txt: one "organisation:name:revision sha256" a line

_SETTINGS = """<ivysettings>
  <settings defaultResolver="central"/>
  <caches defaultCacheDir="{cache}"/>
  <resolvers><ibiblio name="central" m2compatible="true" usepoms="{poms}"/></resolvers>
</ivysettings>
"""
_MODULE = """<ivy-module version="2.0">
  <info organisation="faultline" module="{name}"/>
  <configurations><conf name="default"/></configurations>
  <dependencies>
{dependencies}
{excludes}
  </dependencies>
</ivy-module>
"""


# What Spark itself brings: a second copy of another version would be found first or last by chance.
_SPARK_HAS = (
    ("org.apache.hadoop", "*"),
    ("org.scala-lang", "*"),
    ("org.scala-lang.modules", "*"),
    ("org.slf4j", "*"),
    ("com.google.code.findbugs", "*"),
    ("org.xerial.snappy", "*"),
    ("org.lz4", "*"),
    ("org.apache.spark", "spark-tags_*"),
)


def kafka_classpath(environ: Environ) -> str:
    """Return the class path of the broker; fetches its jars on first use (about 15 s, 43 MB)."""
    return f"{_resolved('kafka', versions.kafka_coordinates(environ), environ)}/*"


def connector_jars(environ: Environ) -> list[Path]:
    """Return the jars of Spark's Kafka source; fetches them on first use (about 5 s, 6 MB)."""
    folder = _resolved("spark-kafka", versions.connector_coordinates(environ), environ, _SPARK_HAS)
    return sorted(folder.glob("*.jar"))


def pyspark_home() -> Path:
    """Return the folder of the installed PySpark; raises StackError when there is none."""
    spec = importlib.util.find_spec("pyspark")
    if spec is None or spec.origin is None:
        raise StackError("package pyspark is not installed in this environment; start through ./run, which installs it")
    return Path(spec.origin).parent


def _resolved(
    name: str, coordinates: Sequence[str], environ: Environ, excluded: Sequence[tuple[str, str]] = ()
) -> Path:
    """Return the folder with all jars of `coordinates`, whole or not at all (written aside, then renamed).

    The versions of the lock file are fetched as it lists them and their SHA-256 checked; others are resolved anew.
    """
    digest = sha256("\n".join(coordinates).encode()).hexdigest()[:8]
    target = Paths.from_env(environ).jars / f"{name}-{digest}"
    if not target.is_dir():
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{name}-") as work:
            locked = read_lock(name)
            if set(coordinates) <= set(locked):
                _retrieve(_module(name, list(locked), (), transitive=False), name, Path(work), environ)
                _check(Path(work) / "lib", locked)
            else:
                _retrieve(_module(name, coordinates, excluded), ", ".join(coordinates), Path(work), environ)
            _publish(Path(work) / "lib", target)
    return target


def read_lock(name: str) -> dict[str, str]:
    """Return coordinate -> SHA-256 of a lock file."""
    lines = (LOCKS / f"{name}-jars.txt").read_text().splitlines()
    pairs = [line.split() for line in lines if line and not line.startswith("#")]
    return {coordinate: digest for coordinate, digest in pairs}


def _check(folder: Path, locked: dict[str, str]) -> None:
    for coordinate, expected in locked.items():
        _, name, revision = coordinate.split(":")
        path = folder / f"{name}-{revision}.jar"
        got = sha256(path.read_bytes()).hexdigest() if path.is_file() else "nothing"
        if got != expected:
            raise StackError(
                f"{coordinate}: fetched a jar with SHA-256 {got}, expected {expected}; nothing was kept. A mirror"
                " that alters files? Try again, or name another with FAULTLINE_IVY_SETTINGS."
            )


def _publish(source: Path, target: Path) -> None:
    try:
        source.rename(target)
    except OSError:
        if not target.is_dir():  # not a second process that was quicker
            raise


def _retrieve(module_text: str, what: str, work: Path, environ: Environ) -> None:
    """Let Ivy fetch into `work/lib`; a locked module lists every jar, so that no POM has to be read for it."""
    settings = environ.get("FAULTLINE_IVY_SETTINGS")
    if settings is None:
        default = work / "ivysettings.xml"
        poms = str('transitive="false"' not in module_text).lower()
        default.write_text(_SETTINGS.format(cache=work / "cache", poms=poms))
        settings = str(default)
    module = work / "ivy.xml"
    module.write_text(module_text)
    java = shutil.which("java", path=environ.get("PATH"))
    if java is None:
        raise StackError(
            "java is not on PATH, expected Java 17 or 21; on Debian: apt-get install openjdk-17-jre-headless"
        )
    argv = [java, "-cp", f"{pyspark_home() / 'jars'}/*", "org.apache.ivy.Main", "-settings", settings]
    argv += ["-ivy", str(module), "-confs", "default", "-types", "jar", "bundle"]
    argv += ["-retrieve", f"{work}/lib/[artifact]-[revision].[ext]"]
    result = subprocess.run(argv, capture_output=True, text=True, check=False)
    if result.returncode != 0 or not (work / "lib").is_dir():
        tail = "\n".join((result.stdout + result.stderr).splitlines()[-15:])
        raise StackError(
            f"could not fetch {what} from Maven Central:\n{tail}\n"
            "Check the network, or name a mirror in an Ivy settings file with FAULTLINE_IVY_SETTINGS."
        )


def _module(
    name: str, coordinates: Sequence[str], excluded: Sequence[tuple[str, str]], *, transitive: bool = True
) -> str:
    excludes = [f'    <exclude org="{org}" module="{module}" matcher="glob"/>' for org, module in excluded]
    dependencies = [_dependency(coordinate, transitive=transitive) for coordinate in coordinates]
    return _MODULE.format(name=name, dependencies="\n".join(dependencies), excludes="\n".join(excludes))


def _dependency(coordinate: str, *, transitive: bool) -> str:
    organisation, name, revision = coordinate.split(":")
    place = f'org="{organisation}" name="{name}" rev="{revision}" conf="default-&gt;default"'
    return f'    <dependency {place} transitive="{str(transitive).lower()}"/>'
