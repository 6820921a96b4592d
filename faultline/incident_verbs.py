"""The verbs `incidents`, `feedback`, `learned` and `catalog` of `./run`; they ask the incident process over HTTP."""

from __future__ import annotations

import getpass
import os
from pathlib import Path
from typing import Any

import click
import httpx

from faultline.config import Ports
from faultline.errors import StackError
from faultline.printing import printable


@click.command()
@click.argument("incident_id", required=False)
@click.option("--open", "only_open", is_flag=True, help="Only those that are open.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 100))
def incidents(incident_id: str | None, only_open: bool, limit: int) -> None:
    """Show incidents, or one with its causes.

    With an ID: its causes with their evidence, and the verdicts on it.
    """
    if incident_id is not None:
        click.echo("\n".join(_describe(_ask("GET", f"/v1/incidents/{incident_id}"))))
        return
    query = {"limit": str(limit)} | ({"state": "open"} if only_open else {})
    found = _ask("GET", "/v1/incidents", params=query)["incidents"]
    click.echo("\n".join(map(_row, found)) or "no incidents")


@click.command()
@click.argument("incident_id")
@click.argument("verdict", type=click.Choice(["true", "false"]))
@click.option("--cause", default="", help="What it was: a service, or a change as the incident names it.")
@click.option("--note", default="", help="For whoever reads this later.")
@click.option("--who", default="", help="Who decided.  [default: the user who runs this]")
def feedback(incident_id: str, verdict: str, cause: str, note: str, who: str) -> None:
    """Tell whether an incident was true or false.

    What has only patterns of one false alarm is normal from then on; ./run learned lists and undoes that.
    """
    body = {"verdict": verdict, "cause": cause, "note": note, "who": who or getpass.getuser()}
    given = _ask("POST", f"/v1/incidents/{incident_id}/feedback", json=body)
    click.echo(f"kept as {given['feedback_id']}; to take it back: ./run learned --undo {given['feedback_id']}")


@click.command()
@click.option("--undo", metavar="FEEDBACK_ID", help="Take a verdict back, and all that was learned from it.")
@click.option("--who", default="", help="Who takes it back.  [default: the user who runs this]")
def learned(undo: str | None, who: str) -> None:
    """Show what verdicts have taught, or undo it."""
    if undo is not None:
        _ask("DELETE", f"/v1/feedback/{undo}", params={"who": who or getpass.getuser()})
    found = _ask("GET", "/v1/learned")["learned"]
    click.echo("\n".join(map(_learned_row, found)) or "nothing was learned from verdicts")


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
def catalog(paths: tuple[Path, ...]) -> None:
    """Check a service catalog.

    Backstage's format: files, or folders with catalog-info.yaml files in them.
    """
    from faultline.catalog.reading import read_catalog

    found = read_catalog(paths)
    edges = sum(len(entity.depends_on) for entity in found.entities.values())
    for problem in found.problems:
        click.echo(printable(str(problem)), err=True)
    click.echo(f"{len(found.entities)} entities, {edges} dependencies, {len(found.problems)} problems")
    if found.problems:
        raise SystemExit(1)


def _ask(method: str, path: str, **given: Any) -> Any:
    url = f"http://127.0.0.1:{Ports.from_env(os.environ).incidents}{path}"
    try:
        answer = httpx.request(method, url, timeout=10, trust_env=False, **given)
    except httpx.HTTPError as error:
        text = f"{url}: nobody answers ({error}); ./run status shows what runs, ./run up starts it"
        raise StackError(text) from error
    content = answer.json()
    if answer.is_error:
        raise StackError(f"{method} {path}: {printable(content['error']['text'])}")
    return content


def _row(incident: dict[str, Any]) -> str:
    cause = incident["causes"][0] if incident["causes"] else {"title": "unknown", "probability": 0.0}
    services = ", ".join(incident["services"][:4])
    text = f"{services}: likely {cause['title']} ({cause['probability']:.0%})"
    return f"{incident['incident_id']}  {incident['opened_at'][:19]}  {incident['state']:<8}  {printable(text)}"


def _describe(found: dict[str, Any]) -> list[str]:
    incident = found["incident"]
    lines = [_row(incident), "", printable(incident["explanation"]), ""]
    for place, cause in enumerate(incident["causes"], 1):
        lines.append(f"{place}. {printable(cause['title'])} ({cause['kind']}, {cause['probability']:.0%})")
        for evidence in cause["evidence"]:
            at = (evidence["at"] or "")[11:19]
            lines.append(
                f"   {evidence['weight']:+6.2f}  {evidence['kind']:<9} {at:<8}  {printable(evidence['text'])[:200]}"
            )
    for verdict in found["verdicts"]:
        what = f"takes back {verdict['undoes']}" if verdict["undoes"] else f"says {verdict['verdict']}"
        lines.append(f"{verdict['at'][:19]}  {printable(verdict['who'])} {what}  {printable(verdict['note'])}")
    return lines


def _learned_row(item: dict[str, Any]) -> str:
    pattern = item["pattern"]
    meaning = "is normal" if item["normal"] else "is a sign of a fault"
    text = f"{pattern['service_name']}: {pattern['kind']} {pattern['pattern']!r} {meaning}"
    return f"{item['feedback_id']}  {item['at'][:19]}  {printable(item['who'])}: {printable(text)}"
