"""TrainTicket's days as incidents, in small; the public one where it is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from evaluation.datasets.labelled import DatasetError
from evaluation.root_cause.arms import ErrorCount, Ours
from evaluation.root_cause.held_out import HoldOut, rank_held_out
from evaluation.root_cause.trainticket import FILES, load
from evaluation.run import PUBLIC
from tests.evaluation.root_cause.small_day import service, write_day

FAULTS = [(name, kind) for kind in ("return", "exception", "cpu_contention") for name in ("basic", "price", "travel")]
FAULTS += [(name, "network_delay") for name in ("basic", "price")]
NEZHA = PUBLIC / "nezha-trainticket"


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("day")
    write_day(folder, FAULTS)
    return folder


def test_every_fault_is_an_incident_with_its_cause(day: Path) -> None:
    found = load(day)
    assert [(incident.service, incident.kind) for incident in found.incidents] == [
        (service(name), kind) for name, kind in FAULTS
    ]
    assert found.services == 3
    assert all(incident.causes == {incident.service} for incident in found.incidents)
    assert found.incidents[0].at.isoformat() == "2023-01-29T08:00:00+00:00"


def test_calls_are_read_from_spans(day: Path) -> None:
    graph = load(day).incidents[0].situation.graph
    assert graph.dependencies(service("travel")) == {service("basic"): 1, service("price"): 2}


def test_cause_is_found_without_the_time_of_the_injection(day: Path) -> None:
    incidents = load(day)
    ranked = rank_held_out(Ours(), incidents, [incidents], HoldOut.KIND)
    assert [found.rank for found in ranked] == [1] * len(FAULTS)


def test_label_is_used_nowhere_but_as_the_label(day: Path, tmp_path: Path) -> None:
    for name in FILES:
        (tmp_path / name).write_bytes((day / name).read_bytes())
    labels = (day / "faults.csv").read_text().replace(service("price"), service("basic"))
    (tmp_path / "faults.csv").write_text(labels.replace(":04,", ":59,"))
    for one, other in zip(load(day).incidents, load(tmp_path).incidents, strict=True):
        assert one.situation.symptoms == other.situation.symptoms
        assert Ours().rank(one) == Ours().rank(other)


def test_errors_are_counted_by_level(day: Path) -> None:
    by_kind = {incident.kind: incident for incident in load(day).incidents if incident.service == service("price")}
    assert by_kind["exception"].errors == {service("price"): 20}
    assert by_kind["return"].errors == {}
    assert ErrorCount().rank(by_kind["exception"]) == [service("price")]


def test_lines_of_other_form_are_left_out(day: Path, tmp_path: Path) -> None:
    import gzip

    for name in FILES:
        (tmp_path / name).write_bytes((day / name).read_bytes())
    with gzip.open(day / "logs.csv.gz", "rt") as file:
        text = file.read()
    pod = "ts-price-service-5dc8d4f9fd-46997"
    with gzip.open(tmp_path / "logs.csv.gz", "wt") as file:
        file.write(
            text + f"08_00,2023-01-29T08:00:00.1Z,{pod},t,s,no json\n08_00,2023-01-29T08:00:00.1Z,{pod},t,s,{{}}\n"
        )
    assert load(tmp_path).incidents[0].situation.symptoms == load(day).incidents[0].situation.symptoms


@pytest.mark.parametrize("name", FILES)
def test_missing_file_is_named(day: Path, tmp_path: Path, name: str) -> None:
    for other in FILES:
        if other != name:
            (tmp_path / other).write_bytes((day / other).read_bytes())
    with pytest.raises(DatasetError, match=f"has no {name}, expected a day of TrainTicket"):
        load(tmp_path)


def test_bad_number_is_told_with_its_line(day: Path, tmp_path: Path) -> None:
    for name in FILES:
        (tmp_path / name).write_bytes((day / name).read_bytes())
    rows = (day / "faults.csv").read_text().splitlines()
    (tmp_path / "faults.csv").write_text("\n".join([rows[0], rows[1].replace("08_00", "morning")]))
    with pytest.raises(DatasetError, match=r"faults\.csv:2: .*log_windows of hh_mm"):
        load(tmp_path)


@pytest.mark.slow
@pytest.mark.skipif(not NEZHA.is_dir(), reason="the public day of TrainTicket is not beside the repository")
def test_published_day_is_ranked_at_least_as_well_as_published() -> None:
    incidents = load(NEZHA)
    assert len(incidents.incidents) == 28
    ranked = rank_held_out(Ours(), incidents, [incidents], HoldOut.KIND_AND_SERVICE)
    assert sum(found.rank == 1 for found in ranked) >= 25
