from __future__ import annotations

from pathlib import Path

import pytest

from chaos.errors import ExperimentError
from chaos.releases import FOLDER, build, changed_files, load_release
from faultline.config import REPOSITORY

RELEASES = sorted(path.stem for path in FOLDER.glob("*.yaml"))
GOOD = """\
service: payments
version: 1.1.0
author: Mika
message: Round up
edits:
  - { file: demo/sums.py, old: "x // 2", new: "-(-x // 2)" }
environment: { FAULTLINE_SEED: "7" }
"""
SOURCE = "def half(x):\n    return x // 2\n"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A repository with one file of source."""
    (tmp_path / "source" / "demo").mkdir(parents=True)
    (tmp_path / "source" / "demo" / "sums.py").write_text(SOURCE)
    (tmp_path / "source" / "secret.py").write_text(SOURCE)
    return tmp_path / "source"


def load(text: str, source: Path) -> object:
    (source / "release.yaml").write_text(text)
    return load_release("release", source, source)


@pytest.mark.parametrize("name", RELEASES)
def test_every_release_applies_to_the_present_source(name: str) -> None:
    release = load_release(name)
    assert release.name == name == f"{release.service}-{release.version}"
    for file, text in changed_files(release, REPOSITORY).items():
        assert text != (REPOSITORY / file).read_text()
    assert release.edits or release.environment


def test_release_is_built_beside_the_source(tmp_path: Path, source: Path) -> None:
    (source / "release.yaml").write_text(GOOD)
    release = load_release("release", source, source)
    folder = release.folder(tmp_path / "releases")
    (folder / "demo").mkdir(parents=True)
    (folder / "demo" / "left_over.py").touch()
    assert build(release, folder, source) == tmp_path / "releases" / "payments-1.1.0"
    assert (folder / "demo" / "sums.py").read_text() == "def half(x):\n    return -(-x // 2)\n"
    assert [path.name for path in (folder / "demo").iterdir()] == ["sums.py"]
    assert (source / "demo" / "sums.py").read_text() == SOURCE
    assert release.environment == {"FAULTLINE_SEED": "7"}


def test_unknown_release_lists_those_there_are(source: Path) -> None:
    (source / "one.yaml").write_text(GOOD)
    with pytest.raises(ExperimentError, match="release 'two' does not exist in source, expected one of one"):
        load_release("two", source, source)


OLD_NOWHERE = GOOD.replace("x // 2", "x / 2", 1)
BAD = {
    "edit that does not occur": (OLD_NOWHERE, "release.yaml: edit 1 of demo/sums.py: 'x / 2'... occurs 0 times, expec"),
    "edit that occurs twice": (GOOD.replace('"x // 2"', '"x"'), "'x'... occurs 2 times, expected once; the source has"),
    "edit of nothing": (GOOD.replace('"x // 2"', '""'), "edit 1 of demo/sums.py: its old text is empty"),
    "no such file": (GOOD.replace("sums", "sum"), "edit 1 of demo/sum.py: no such file, expected one below demo/"),
    "file elsewhere": (GOOD.replace("demo/sums", "demo/../secret"), "no such file, expected one below demo/"),
    "no Python": (GOOD.replace("-(-x", "-(-("), "demo/sums.py is no Python after the edits: "),
    "service unknown": (GOOD.replace("payments", "shipping"), "service is 'shipping', expected one of payments"),
    "version missing": (GOOD.replace("version: 1.1.0\n", ""), "not a release: Object missing required field `version`"),
    "key unknown": (GOOD + "colour: red\n", "not a release: Object contains unknown field `colour`"),
    "value of the wrong kind": (GOOD.replace('"7"', "7"), "not a release: Expected `str`, got `int`"),
    "no YAML": ("edits: [", "not a release: while parsing"),
}


@pytest.mark.parametrize("name", BAD)
def test_release_that_cannot_be_used_is_named(name: str, source: Path) -> None:
    text, problem = BAD[name]
    with pytest.raises(ExperimentError) as raised:
        load(text, source)
    assert "release.yaml: " in str(raised.value)
    assert problem in str(raised.value)


def test_edits_of_one_file_build_on_each_other(source: Path) -> None:
    second = '  - { file: demo/sums.py, old: "-(-x // 2)", new: "x" }\n'
    (source / "release.yaml").write_text(GOOD.replace("environment", f"{second}environment"))
    release = load_release("release", source, source)
    assert changed_files(release, source) == {"demo/sums.py": "def half(x):\n    return x\n"}
