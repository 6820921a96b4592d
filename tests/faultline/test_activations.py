"""Which model scores a batch: the last one activated at or before its time, whoever asks and when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultline.activations import KEPT, Activations
from faultline.errors import ArtifactError

NOON = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)


def minutes(n: float) -> datetime:
    return NOON + timedelta(minutes=n)


@pytest.fixture
def file(tmp_path: Path) -> Activations:
    return Activations(tmp_path / "checkpoints" / "stream.models", tmp_path / "models")


def test_a_batch_is_scored_by_what_was_active_at_its_time(file: Activations) -> None:
    file.activate("aaa", minutes(0))
    file.activate("bbb", minutes(5))
    times = (0, 4.999, 5, 60)
    assert [file.version_at(minutes(t)) for t in times] == ["aaa", "aaa", "bbb", "bbb"]
    assert file.folder_at(minutes(60)) == file.models / "bbb"
    assert file.newest() == "bbb"


def test_a_batch_before_the_first_entry_gets_the_first(file: Activations) -> None:
    file.activate("aaa", minutes(0))
    file.activate("bbb", minutes(5))
    assert file.version_at(minutes(-60)) == "aaa"


def test_a_clock_that_was_set_back_does_not_keep_the_old_model_for_ever(file: Activations) -> None:
    file.activate("aaa", minutes(60))
    file.activate("bbb", minutes(1))
    assert [file.version_at(minutes(t)) for t in (2, 61)] == ["bbb", "bbb"]


def test_times_of_other_zones_are_compared_as_moments(file: Activations) -> None:
    file.activate("aaa", minutes(0))
    file.activate("bbb", datetime.fromisoformat("2026-01-02T14:05:00+02:00"))
    assert [file.version_at(minutes(t)) for t in (4, 5)] == ["aaa", "bbb"]


def test_no_file_names_no_model(file: Activations) -> None:
    assert file.newest() is None
    with pytest.raises(ArtifactError, match=r"stream\.models names no model, expected one; start the stream again"):
        file.version_at(NOON)


def test_the_file_is_bounded_and_keeps_the_newest(file: Activations) -> None:
    for number in range(KEPT + 5):
        file.activate(f"v{number}", minutes(number))
    entries = file.entries()
    assert (len(entries), entries[0].version, entries[-1].version) == (KEPT, "v5", f"v{KEPT + 4}")
    assert [path.name for path in file.path.parent.iterdir()] == ["stream.models"]


BAD_LINES = {
    "half a line": '{"since": "2026-01',
    "no version": '{"since": "2026-01-02T12:00:00+00:00"}',
    "no time": '{"version": "aaa", "since": "soon"}',
    "no zone": '{"version": "aaa", "since": "2026-01-02T12:00:00"}',
    "a list": "[]",
}


@pytest.mark.parametrize("name", BAD_LINES)
def test_a_damaged_file_is_named_with_its_line(file: Activations, name: str) -> None:
    file.activate("aaa", minutes(0))
    with file.path.open("a") as text:
        text.write(BAD_LINES[name])
    with pytest.raises(ArtifactError, match=r"stream\.models:2: .* is no activation \(.*\); remove the file"):
        file.version_at(NOON)


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=30, unique=True), st.integers(-10, 10**6 + 10))
def test_a_later_activation_changes_nothing_before_its_time(
    tmp_path_factory: pytest.TempPathFactory, seconds: list[int], asked: int
) -> None:
    folder = tmp_path_factory.mktemp("activations")
    file, moment = Activations(folder / "models", folder), NOON + timedelta(seconds=asked)
    answers: list[tuple[int, str]] = []
    for second in sorted(seconds):
        file.activate(f"v{second}", NOON + timedelta(seconds=second))
        answers.append((second, file.version_at(moment)))
    settled = [version for second, version in answers if second >= asked]
    before = [second for second in sorted(seconds) if second <= asked]
    expected = f"v{before[-1]}" if before else f"v{min(seconds)}"
    assert set(settled[1:]) <= {expected}
    assert answers[-1][1] == expected
