"""The report of a run: tables, pictures, one page, and facts.json."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import pandas as pd
from jinja2 import Environment, FileSystemLoader, select_autoescape

from evaluation.comparison import ArmResult, SetResult, Settings
from evaluation.datasets.labelled import LabelledSet
from evaluation.diagnosis import Diagnosis, diagnose
from evaluation.findings import CHOSEN, findings
from evaluation.plots import plot_set
from evaluation.tables import arm_rows, unit_table
from faultline.reporting import plain, write_table

SHOWN_UNREADABLE: Final = 5
TEMPLATES: Final = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=select_autoescape(default=True)
)


@dataclass(frozen=True)
class Section:
    """What the page says about one set."""

    about: dict[str, Any]
    rows: list[dict[str, Any]]
    findings: list[str]
    diagnosis: Diagnosis
    pictures: dict[str, str]


def write_report(
    folder: Path, results: Sequence[SetResult], settings: Settings, begun: datetime, missing: Sequence[str] = ()
) -> dict[str, Any]:
    """Write report.html, facts.json, arms.* and <set>-units.* with pictures to `folder`; return the facts."""
    folder.mkdir(parents=True, exist_ok=True)
    sections = [_section(folder, result, settings) for result in results]
    write_table(folder, "arms", pd.DataFrame([row for section in sections for row in section.rows]))
    for result in results:
        write_table(folder, f"{result.labelled.slug}-units", unit_table(result))
    facts = {
        "begun": begun.isoformat(timespec="seconds"),
        "settings": asdict(settings),
        "missing": list(missing),
        "sets": [{**asdict(section), "rows": section.rows} for section in sections],
    }
    (folder / "facts.json").write_text(json.dumps(plain(facts), indent=2, default=str))
    page = TEMPLATES.get_template("report.html.j2")
    (folder / "report.html").write_text(
        page.render(sections=sections, facts=facts, chosen=CHOSEN, arms=_legend(results)), encoding="utf-8"
    )
    return facts


def _section(folder: Path, result: SetResult, settings: Settings) -> Section:
    diagnosis = diagnose(result, result.arm(CHOSEN))
    return Section(
        _about(result),
        arm_rows(result),
        findings(result, diagnosis, settings.seed),
        diagnosis,
        plot_set(folder, result),
    )


def _legend(results: Sequence[SetResult]) -> list[ArmResult]:
    """Return each arm once, in the order of the tables."""
    return list({arm.name: arm for result in results for arm in result.arms}.values())


def _about(result: SetResult) -> dict[str, Any]:
    labelled, split = result.labelled, result.split
    return {
        "name": labelled.name,
        "unit": labelled.kind.value,
        "labelled": labelled.labelled,
        "timed": labelled.timed,
        "lines_read": labelled.lines_read,
        "unreadable": len(labelled.unreadable),
        "unreadable_examples": [asdict(line) for line in labelled.unreadable[:SHOWN_UNREADABLE]],
        "train_normal": len(split.normal),
        "held_out": len(split.later),
        "train_abnormal": int(labelled.labels[split.train].sum()),
        "test": len(split.test),
        "test_abnormal": int(result.labels.sum()),
        "known_templates": len(result.space.tree.templates),
        "weaknesses": list(labelled.weaknesses),
        "fingerprint": fingerprint(labelled),
    }


def fingerprint(labelled: LabelledSet) -> str:
    """Return 12 hex digits over texts, labels and split: two runs with the same ones judged the same data."""
    digest = sha256()
    for event in labelled.events:
        digest.update(event.body.encode("utf-8", "surrogatepass") + b"\n")
    for unit in labelled.units:
        digest.update(f"{unit.key} {unit.label} {unit.split}\n".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()[:12]
