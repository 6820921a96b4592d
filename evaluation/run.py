"""`./run evaluate`: compare all arms on the public sets that are there, or on a labelled file of anybody's."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from evaluation import datasets
from evaluation.comparison import SetResult, Settings, compare
from evaluation.datasets.labelled import DatasetError, LabelledSet
from evaluation.datasets.options import DatasetOptions
from evaluation.findings import CHOSEN
from evaluation.report import write_report
from faultline.config import REPOSITORY, Paths
from faultline.stack.progress import Progress
from spark.models.embedder import ensure_encoder

PUBLIC: Final = REPOSITORY.parent / "shared" / "data"


def evaluate(
    environ: Mapping[str, str],
    targets: Mapping[str, Path],
    options: DatasetOptions,
    settings: Settings,
    out: Path | None = None,
) -> dict[str, Any]:
    """Evaluate each target (format -> path) and write one report; return its facts, with a summary to print.

    Raises DatasetError."""
    begun, progress = datetime.now(UTC), Progress()
    encoder, _ = ensure_encoder(Paths.from_env(environ).models / "encoder")
    results: list[SetResult] = []
    for name, path in targets.items():
        with progress.step(f"{name}: reading {path}"):
            labelled = datasets.load(path, name, options)
        _note_unreadable(progress, labelled)
        results.append(compare(labelled, encoder, settings, progress))
    folder = out or report_folder(environ, begun)
    with progress.step("writing the report"):
        facts = write_report(folder, results, settings, begun, missing_sets(targets))
    return {**facts, "summary": [summary(result) for result in results], "report": str(folder / "report.html")}


def choose_targets(path: Path | None, name: str | None) -> dict[str, Path]:
    """Return format -> path: the given one, or every public set beside the repository.

    Raises DatasetError when there is nothing to evaluate on.
    """
    if path is not None:
        return {name or guess_format(path): path}
    found = datasets.public_sets(PUBLIC)
    if name is not None:
        found = {key: folder for key, folder in found.items() if key == name}
    if not found:
        folders = ", ".join(
            sorted({module.FOLDER for module in datasets.loaders().values() if hasattr(module, "FOLDER")})
        )
        raise DatasetError(
            f"{PUBLIC}: no public set is there, expected folders {folders} with their README; or name a file:"
            " ./run evaluate PATH --format LOGHUB"
        )
    return found


def guess_format(path: Path) -> str:
    """Return the format a path looks like: a public set by its folder, JSON lines by the suffix, else LOGHUB."""
    for name, module in datasets.loaders().items():
        if path.is_dir() and path.name == getattr(module, "FOLDER", None):
            return name
    return "JSONL" if {".jsonl", ".json"} & set(path.suffixes) else "LOGHUB"


def missing_sets(targets: Mapping[str, Path]) -> list[str]:
    """Return the public sets that were meant to be judged, but are not there; none when a file was given."""
    if any(path.parent != PUBLIC for path in targets.values()):
        return []
    return sorted(
        {name for name, m in datasets.loaders().items() if hasattr(m, "FOLDER")} - set(datasets.public_sets(PUBLIC))
    )


def report_folder(environ: Mapping[str, str], begun: datetime) -> Path:
    """Return the folder of a run: reports/evaluation/<time>, below FAULTLINE_HOME when that was moved."""
    return Paths.from_env(environ).reports / "evaluation" / begun.strftime("%Y%m%dT%H%M%SZ")


def summary(result: SetResult) -> str:
    """Return one line a set for the terminal."""
    m = result.arm(CHOSEN).metrics
    false = f"{m.false_per_10000:.0f} false alarms per 10,000 normal {result.labelled.kind}s"
    if m.f1 != m.f1:
        return f"{result.labelled.name}: no labels; {false}"
    return (
        f"{result.labelled.name}: {CHOSEN} precision {m.precision:.3f}, recall {m.recall:.3f}, F1 {m.f1:.3f}"
        f" (best threshold: {m.best_f1:.3f}), average precision {m.average_precision:.3f}; {false}"
    )


def _note_unreadable(progress: Progress, labelled: LabelledSet) -> None:
    if labelled.unreadable:
        first = labelled.unreadable[0]
        progress.note(
            f"{labelled.name}: {len(labelled.unreadable)} of {labelled.lines_read} lines are not as expected"
            f" (first: line {first.line}, {first.reason}); the report counts them"
        )
