from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from chaos.catalogue import Experiment
from chaos.errors import ChaosError
from chaos.plan import GAP_SECONDS, Lengths, Plan, draw_items

EXPERIMENTS = {
    name: Experiment(name, Path(f"{name}.yaml"), name, name, name, "payments", False) for name in ("a", "b", "c", "d")
}


def make_plan() -> Plan:
    items = draw_items(EXPERIMENTS, 2, 7)
    return Plan("20260131T120000Z", "full", 7, 2, Lengths(), items, "abc", "experiments", ("a note",))


def test_each_experiment_as_often_as_asked_for() -> None:
    items = draw_items(EXPERIMENTS, 3, 7)
    assert Counter(item.experiment for item in items) == dict.fromkeys(EXPERIMENTS, 3)
    assert [item.number for item in items] == list(range(1, 13))
    assert all(GAP_SECONDS[0] <= item.gap_seconds <= GAP_SECONDS[1] for item in items)


def test_each_block_has_each_once() -> None:
    items = draw_items(EXPERIMENTS, 3, 7)
    for block in range(3):
        part = items[4 * block : 4 * block + 4]
        assert sorted(item.experiment for item in part) == sorted(EXPERIMENTS)
        assert {item.repeat for item in part} == {block + 1}


def test_the_seed_decides() -> None:
    assert draw_items(EXPERIMENTS, 5, 7) == draw_items(dict(reversed(EXPERIMENTS.items())), 5, 7)
    assert draw_items(EXPERIMENTS, 5, 7) != draw_items(EXPERIMENTS, 5, 8)


def test_written_and_read_it_is_the_same(tmp_path: Path) -> None:
    plan = make_plan()
    plan.write(tmp_path)
    assert Plan.read(tmp_path) == plan
    stored = json.loads((tmp_path / "plan.json").read_text())
    assert (stored["planned"], stored["learned_seconds"], stored["longest_hold_seconds"]) == (8, 420, 45)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"items": [{"number": 1}]}'])
def test_what_is_no_plan(tmp_path: Path, text: str) -> None:
    (tmp_path / "plan.json").write_text(text)
    with pytest.raises(ChaosError, match=r"plan.json is no plan of a run .*; begin a new run"):
        Plan.read(tmp_path)
