"""The report of a run: tables, pictures, one page, and facts.json. As far as the run has got."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, select_autoescape

from chaos.aims import Aim, Verdict, aims, percent, seconds
from chaos.comparison import Figures, Pair, fault_figures, pairs, side_figures
from chaos.misses import Miss, misses
from chaos.plots import COLOURS, plot_delays, plot_detection, plot_distractions, plot_normal, plot_timelines
from chaos.quiet import Distraction, NormalTime, Stray, distractions, normal_time, stray_rows
from chaos.records import SIDES
from chaos.results import Results, read_results
from chaos.tables import AlertRow, alert_rows, frame, reaction_table
from chaos.timings import AFTERMATH, GRACE, Reaction, reactions
from faultline.reporting import plain, write_table

TEMPLATES: Final = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=select_autoescape(default=True)
)


@dataclass(frozen=True)
class Findings:
    """Every figure of a run."""

    reactions: list[Reaction]
    faults: list[Figures]
    sides: list[Figures]
    pairs: list[Pair]
    distractions: list[Distraction]
    normal: list[NormalTime]
    strays: list[Stray]
    misses: list[Miss]
    aims: list[Aim]


def write_report(folder: Path) -> dict[str, Any]:
    """Write report.html, facts.json, pictures and tables into the folder of a run; return the facts.

    A run in the middle is reported as far as it is; raises ConfigError for a file of it that cannot be read.
    """
    results = read_results(folder)
    found = compare(results)
    _write_tables(folder, results, found)
    pictures = _draw(folder, results, found)
    facts = _facts(results, found, pictures)
    (folder / "facts.json").write_text(json.dumps(plain(facts), indent=2, default=str), encoding="utf-8")
    (folder / "report.html").write_text(_page(folder, results, found, pictures), encoding="utf-8")
    return facts


def compare(results: Results) -> Findings:
    """Return what a run's records say; the same records and seed give the same figures."""
    seed = results.plan.seed
    reacted = reactions(results.injections, results.alerts)
    sides, paired, normal = side_figures(reacted, seed), pairs(reacted, seed), normal_time(results)
    return Findings(
        reactions=reacted,
        faults=fault_figures(reacted, seed),
        sides=sides,
        pairs=paired,
        distractions=distractions(reacted),
        normal=normal,
        strays=stray_rows(results),
        misses=misses(reacted, results.evidence),
        aims=aims(reacted, results.evidence, sides, paired, normal),
    )


def _write_tables(folder: Path, results: Results, found: Findings) -> None:
    write_table(folder, "reactions", reaction_table(found.reactions))
    rows: dict[str, tuple[type[Any], Sequence[Any]]] = {
        "faults": (Figures, found.faults),
        "sides": (Figures, found.sides),
        "pairs": (Pair, found.pairs),
        "distractions": (Distraction, found.distractions),
        "normal": (NormalTime, found.normal),
        "strays": (Stray, found.strays),
        "misses": (Miss, found.misses),
        "aims": (Aim, found.aims),
        "alerts": (AlertRow, alert_rows(results)),
    }
    for name, (kind, own) in rows.items():
        write_table(folder, name, frame(kind, own))


def _draw(folder: Path, results: Results, found: Findings) -> dict[str, Any]:
    """Return file name by what it shows; `timelines` and `changes` have one a kind."""
    pictures: dict[str, Any] = {"timelines": {}, "changes": {}}
    if found.faults:
        pictures |= {"delays": "delays.png", "detection": "detection.png"}
        plot_delays(folder / "delays.png", found.faults, found.reactions)
        plot_detection(folder / "detection.png", found.faults)
    if found.distractions:
        pictures["distractions"] = "distractions.png"
        plot_distractions(folder / "distractions.png", found.distractions)
    if found.normal:
        pictures["normal"] = "normal.png"
        plot_normal(folder / "normal.png", results, found.normal)
    files = plot_timelines(folder, found.reactions)
    benign = {reaction.injection.kind for reaction in found.reactions if reaction.injection.benign}
    for kind, name in files.items():
        pictures["changes" if kind in benign else "timelines"][kind] = name
    return pictures


def _facts(results: Results, found: Findings, pictures: dict[str, Any]) -> dict[str, Any]:
    listed = ("faults", "sides", "pairs", "distractions", "normal", "strays", "misses", "aims")
    return {
        **{name: getattr(results.plan, name) for name in results.plan.__struct_fields__ if name != "items"},
        "injected": len(results.injections),
        "faults_injected": len(results.faults),
        "distractors_injected": len(results.distractors),
        "aborted": list(results.aborted),
        "missing": list(results.missing),
        "reached": sum(aim.verdict is Verdict.REACHED for aim in found.aims),
        "summary": [f"{aim.verdict}: {aim.wanted}: {aim.value}" for aim in found.aims],
        "pictures": pictures,
        **{name: [asdict(row) for row in getattr(found, name)] for name in listed},
    }


def _page(folder: Path, results: Results, found: Findings, pictures: dict[str, Any]) -> str:
    cells = {(row.kind, row.side): row for row in [*found.faults, *found.sides]}
    return TEMPLATES.get_template("report.html.j2").render(
        results=results,
        found=found,
        cells=cells,
        pictures=pictures,
        image=lambda name: "data:image/png;base64," + b64encode((folder / name).read_bytes()).decode(),
        sides=SIDES,
        colours=COLOURS,
        seconds=seconds,
        percent=percent,
        grace=GRACE.total_seconds(),
        aftermath=AFTERMATH.total_seconds(),
    )
