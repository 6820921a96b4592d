"""What goes out: the alias moves last, and the data's fingerprint is of content only."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultline.artifact import write_manifest
from faultline.errors import ArtifactError, RegistryUnavailable, TrainingDataError
from faultline.registry import Registry, Training
from spark.models.release import fingerprint, publish_and_register, tags_of

NewRegistry = Callable[[], Registry]


def build(text: str) -> Callable[[Path], Training]:
    def write(folder: Path) -> Training:
        (folder / "state").write_text(text)
        write_manifest(folder, trained_at="2026-01-02T12:00:00+00:00")
        return Training("test_train", {"budget": 1.0}, {"lines": 3.0}, tags_of(folder, "fingerprint"))

    return write


def test_a_model_goes_out_with_folder_version_alias_and_mirror(registry: Registry, tmp_path: Path) -> None:
    folder = publish_and_register(build("one"), registry, tmp_path, "champion")
    version = registry.champion()
    assert version is not None
    assert (version.content, (tmp_path / "champion").resolve()) == (folder.name, folder)
    listed = registry.versions()[0].training
    assert (listed.metrics["lines"], listed.parameters["budget"]) == (3.0, "1.0")
    assert listed.metrics["duration_seconds"] >= 0
    assert listed.tags["data_fingerprint"] == "fingerprint"
    assert listed.tags["content_version"] == folder.name


def test_a_candidate_is_not_champion(registry: Registry, tmp_path: Path) -> None:
    first = publish_and_register(build("one"), registry, tmp_path, "champion")
    second = publish_and_register(build("two"), registry, tmp_path, "candidate")
    champion, candidate = registry.champion(), registry.version_of("candidate")
    assert champion is not None and candidate is not None
    assert (champion.content, candidate.content) == (first.name, second.name)
    assert (tmp_path / "candidate").resolve() == second


def fail(folder: Path) -> Training:
    raise TrainingDataError("no lines to learn from")


def leave_out(folder: Path) -> Training:
    training = build("two")(folder)
    (folder / "state").unlink()
    return training


@pytest.mark.parametrize(("broken", "error"), [(fail, TrainingDataError), (leave_out, ArtifactError)])
def test_a_training_that_fails_changes_nothing(
    registry: Registry, tmp_path: Path, broken: Callable[[Path], Training], error: type[Exception]
) -> None:
    folder = publish_and_register(build("one"), registry, tmp_path, "champion")
    before = registry.versions()
    with pytest.raises(error):
        publish_and_register(broken, registry, tmp_path, "champion")
    assert registry.versions() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([folder.name, "champion"])


def test_a_registry_that_cannot_be_written_is_found_before_training(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").mkdir()
    built: list[Path] = []

    def note(folder: Path) -> Training:
        built.append(folder)
        return build("one")(folder)

    with pytest.raises(RegistryUnavailable, match="unable to open database file"):
        publish_and_register(note, Registry(f"sqlite:///{tmp_path / 'mlflow.db'}"), tmp_path / "models", "champion")
    assert built == []


ROWS = st.lists(st.tuples(st.integers(0, 5), st.one_of(st.none(), st.text(max_size=5))), max_size=20)


@given(ROWS, st.randoms(use_true_random=False))
def test_the_fingerprint_is_that_of_the_rows_in_any_order(rows: list[tuple[int, str | None]], random: object) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert fingerprint(table(rows)) == fingerprint(table(shuffled))
    assert fingerprint(table(rows)) != fingerprint(table([*rows, (6, "x")]))


def table(rows: list[tuple[int, str | None]]) -> pa.Table:
    return pa.table({"a": pa.array([a for a, _ in rows], pa.int64()), "b": pa.array([b for _, b in rows], pa.string())})
