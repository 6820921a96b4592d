from __future__ import annotations

from pathlib import Path

import pytest

from chaos.catalogue import FOLDER, load, load_all
from chaos.errors import ExperimentError

GOOD = """\
version: 1.0.0
title: it is broken
description: in some way
tags: [fault]
extensions:
  - { name: faultline, kind: broken, target: payments, benign: false }
steady-state-hypothesis:
  title: fine
  probes:
    - name: shop sells
      type: probe
      tolerance: true
      provider: { type: python, module: chaos.probes, func: shop_sells }
method:
  - name: hold
    type: action
    provider:
      type: python
      module: chaos.actions.holding
      func: hold
rollbacks:
  - name: roll back
    type: action
    provider: { type: python, module: chaos.actions.rollback, func: undo_all }
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "broken.yaml"
    path.write_text(text)
    return path


def test_what_the_comparison_needs_to_know(tmp_path: Path) -> None:
    found = load(write(tmp_path, GOOD))
    assert (found.name, found.kind, found.target, found.benign) == ("broken", "broken", "payments", False)


def test_an_experiment_of_somebody_else_needs_no_extension(tmp_path: Path) -> None:
    text = GOOD.replace("  - { name: faultline, kind: broken, target: payments, benign: false }", "  - { name: other }")
    assert load(write(tmp_path, text)).kind == "broken"
    assert not load(write(tmp_path, text)).benign


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("func: hold\n", "func: holt\n", r"broken.yaml:20: action 'hold': unknown action 'holt' in chaos.actions.hold"),
        (
            "module: chaos.actions.holding",
            "module: chaos.actions.helding",
            r"broken.yaml:19: action 'hold': module 'ch",
        ),
        ("func: shop_sells", "func: shop_buys", r"broken.yaml:13: probe 'shop sells': unknown action 'shop_buys'"),
        ("func: undo_all }", "func: undo_all, arguments: { all: 1 } }", r"broken.yaml:24: 'roll back': .*'all'"),
        ("benign: false", "benign: perhaps", r"broken.yaml:6: benign is 'perhaps', expected true or false"),
        ("title: it is broken\n", "", r"broken.yaml: .*title"),
        ("rollbacks:\n", "rollbacks: 7\nother:\n", r"broken.yaml:21: expected a list of actions and probes"),
    ],
)
def test_what_is_wrong_is_said_with_file_and_line(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in GOOD
    with pytest.raises(ExperimentError, match=said):
        load(write(tmp_path, GOOD.replace(old, new)))


@pytest.mark.parametrize("text", ["- a list", "title: [", "", "\x00"])
def test_a_file_that_is_no_experiment(tmp_path: Path, text: str) -> None:
    with pytest.raises(ExperimentError, match=r"broken.yaml"):
        load(write(tmp_path, text))


def test_a_folder_without_experiments(tmp_path: Path) -> None:
    with pytest.raises(ExperimentError, match="no experiment in it"):
        load_all(tmp_path)


def test_the_delivered_experiments() -> None:
    found = load_all(FOLDER).values()
    assert len({experiment.kind for experiment in found if not experiment.benign}) >= 12
    assert len({experiment.kind for experiment in found if experiment.benign}) >= 6


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_each_delivered_experiment_has_the_same_shape(path: Path) -> None:
    text = path.read_text()
    assert "func: shop_sells" in text, "its steady state is not looked at"
    assert text.count("module: chaos.actions.rollback, func: undo_all") == 1
    assert text.index("func: hold") < text.index("rollbacks:")
