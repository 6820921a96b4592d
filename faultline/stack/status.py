"""What a person wants to know about a program, from supervisord's word and one look at the program itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from time import time

from faultline.stack.program import Program
from faultline.stack.supervisor import ProcessState


@dataclass(frozen=True)
class ProgramStatus:
    """One row of `./run status`; `state` is up, starting, not ready, restarting, failed, stopping or down."""

    name: str
    state: str
    address: str
    pid: int  # 0 when it does not run
    uptime_seconds: float
    detail: str


def look_at(program: Program, process: ProcessState | None) -> ProgramStatus:
    """Return the state of a program, probing it once when it runs; `process` is None without supervisord."""
    if process is None or not process.is_alive:
        state, detail = _state_when_not_running(process)
        return ProgramStatus(program.name, state, program.address, 0, 0.0, detail)
    uptime = max(0.0, time() - process.started)
    problem = program.probe() if program.probe else None
    late = uptime > program.ready_seconds
    state = "up" if problem is None else "not ready" if late else "starting"
    return ProgramStatus(program.name, state, program.address, process.pid, uptime, problem or "")


def _state_when_not_running(process: ProcessState | None) -> tuple[str, str]:
    if process is None:
        return "down", ""
    names = {"FATAL": "failed", "BACKOFF": "restarting", "STOPPING": "stopping"}
    return names.get(process.state, "down"), process.detail


def table(rows: Sequence[ProgramStatus]) -> str:
    """Return the rows as aligned text: name, state, address, process id, time up, what is wrong."""
    heads = ("NAME", "STATE", "ADDRESS", "PID", "UP")
    cells = [heads, *((row.name, row.state, row.address, str(row.pid or ""), _uptime(row)) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(heads))]
    details = ["", *(row.detail for row in rows)]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + f"  {detail}"
        for line, detail in zip(cells, details, strict=True)
    )
    return "\n".join(line.rstrip() for line in lines)


def _uptime(row: ProgramStatus) -> str:
    """Return hours, minutes and seconds, the largest two.

    >>> _uptime(ProgramStatus("kafka", "up", "", 1, 3725.0, ""))
    '1h 02m'
    """
    if not row.pid:
        return ""
    minutes, seconds = divmod(int(row.uptime_seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h {minutes:02d}m" if hours else f"{minutes}m {seconds:02d}s" if minutes else f"{seconds}s"
