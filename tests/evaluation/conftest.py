"""Fixtures of the evaluation: small labelled logs in every format, and a compared set."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from evaluation.comparison import SetResult, Settings, compare
from evaluation.datasets.labelled import LabelledSet
from evaluation.datasets.line_units import line_set
from evaluation.datasets.lines import RawLine, line_event
from evaluation.datasets.options import DatasetOptions
from evaluation.datasets.sessions import SessionLabel, session_set
from faultline.records import Event, Severity
from faultline.stack.progress import Progress
from spark.models.embedder import ensure_encoder

START = datetime(2026, 1, 1, tzinfo=UTC)
NORMAL_LINES = ("order 5 placed", "order 6 charged 7 EUR", "cache renewed", "slow query took 12 ms")
WRONG = "payment refused: card reader burnt"


def at(number: int, body: str, severity: Severity = Severity.INFO, service: str = "shop") -> Event:
    """Return the event of the number-th ten seconds."""
    moment = START + timedelta(seconds=10 * number)
    return line_event("t", number, RawLine(moment, severity, body), moment, service=service)


def lines_of(count: int = 120, wrong: tuple[int, ...] = (20, 100, 110)) -> LabelledSet:
    """Return lines of which those numbered `wrong` are abnormal; the first half trains."""
    events = [
        at(i, WRONG, Severity.ERROR) if i in wrong else at(i, NORMAL_LINES[i % len(NORMAL_LINES)]) for i in range(count)
    ]
    labels = [int(i in wrong) for i in range(count)]
    return line_set("lines", events, labels, (), DatasetOptions(), timed=True)


def sessions_of(count: int = 80, wrong: tuple[int, ...] = (10, 60, 70)) -> LabelledSet:
    """Return sessions of three lines; an abnormal one lacks its end."""
    bodies = ("open file 1", "write 2 bytes", "close file 1")
    events, keys = [], []
    for i in range(count):
        for step, body in enumerate(bodies[: 2 if i in wrong else 3]):
            events.append(at(3 * i + step, body))
            keys.append(f"s{i}")
    labels = {f"s{i}": SessionLabel(int(i in wrong)) for i in range(count)}
    return session_set("sessions", events, keys, labels, DatasetOptions(), timed=True)


@pytest.fixture(scope="session")
def make_lines() -> Callable[..., LabelledSet]:
    """The function `lines_of`."""
    return lines_of


@pytest.fixture(scope="session")
def make_sessions() -> Callable[..., LabelledSet]:
    """The function `sessions_of`."""
    return sessions_of


@pytest.fixture(scope="session")
def make_line() -> Callable[..., Event]:
    """The function `at`."""
    return at


@pytest.fixture(scope="session")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The MiniLM encoder, built once (about 3 s)."""
    return ensure_encoder(tmp_path_factory.mktemp("models") / "encoder")[0]


@pytest.fixture(scope="session")
def session_result(encoder: Path) -> SetResult:
    """The quick arms on `sessions_of`; never written to."""
    return compare(sessions_of(), encoder, Settings(quick=True), Progress())


@pytest.fixture(scope="session")
def line_result(encoder: Path) -> SetResult:
    """The quick arms on `lines_of`; never written to."""
    return compare(lines_of(), encoder, Settings(quick=True), Progress())


def pack(path: Path, *lines: str) -> Path:
    """Write lines to a file, packed when its name says so."""
    data = "".join(f"{line}\n" for line in lines).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


@pytest.fixture(scope="session")
def write() -> Callable[..., Path]:
    """The function `pack`."""
    return pack


@pytest.fixture
def hdfs(tmp_path: Path) -> Path:
    """A folder like that of the public set: 30 blocks of two lines, the last of each half abnormal."""
    blocks = [f"blk_{-i if i % 2 else i}" for i in range(100, 130)]
    lines = [
        f"081109 2035{i:02d} {i} INFO dfs.DataNode: {verb} block {block}"
        for i, block in enumerate(blocks)
        for verb in ("Receiving", "Deleting")
    ]
    rows = [
        f"{block},{int(i in (14, 29))},2008-11-09T20:35:{i:02d},2,{'train' if i < 15 else 'test'}"
        for i, block in enumerate(blocks)
    ]
    pack(tmp_path / "hdfs" / "hdfs_2pct.log.gz", *lines, "081109 203559 7 INFO dfs.DataNode: idle")
    pack(tmp_path / "hdfs" / "block_labels.csv.gz", "block_id,label,first_seen,lines,split", *rows)
    return tmp_path


@pytest.fixture
def hdfs_100k(tmp_path: Path) -> Path:
    """A folder like that of the public set: 40 sessions of two event types; one of each part lacks the second."""
    rows = [
        {"block_id": f"blk_{i}", "label": 0, "split": "train" if i < 30 else "test", "events": ["E1", "E2"]}
        for i in range(40)
    ]
    rows[5] |= {"label": 1, "split": "dropped_anomaly_train", "events": ["E1"]}
    rows[35] |= {"label": 1, "events": ["E1"]}
    pack(tmp_path / "hdfs" / "hdfs_100k_sessions.jsonl.gz", *map(json.dumps, rows))
    pack(tmp_path / "hdfs" / "hdfs_100k_templates.json", json.dumps({"E1": "Receiving <*>", "E2": "Deleting <*>"}))
    return tmp_path


@pytest.fixture
def bgl(tmp_path: Path) -> Path:
    """A folder like that of the public set: 20 labelled lines, three of them abnormal, and a normal head."""
    place = "2005.06.03 R02-M1 2005-06-03-15.42.50.675872 R02-M1 RAS"
    alerts = {4: "KERNDTLB", 15: "APPREAD", 18: "APPREAD"}
    lines = [
        f"{alerts.get(i, '-')} {1117838600 + 60 * i} {place} KERNEL {'FATAL' if i in alerts else 'INFO'} cache {i} bad"
        for i in range(20)
    ]
    rows = [f"{i + 1},{int(i in alerts)},x,E1,{'train' if i < 12 else 'test'}" for i in range(20)]
    pack(tmp_path / "bgl" / "bgl_2k.log.gz", *lines)
    pack(tmp_path / "bgl" / "bgl_2k_labels.csv.gz", "line_no,label,alert,event_id,split", *rows)
    pack(tmp_path / "bgl" / "bgl_head_5k_normal.log.gz", f"- 1117838570 {place} KERNEL INFO cache 7 error")
    return tmp_path


@pytest.fixture
def trainticket(tmp_path: Path) -> Path:
    """A folder like that of the public set: 20 minutes of two services; minutes 9-11 and 15-17 of one are faulty."""
    faults = [
        f"{number},2026-01-01 00:{minute:02d}:00,ts-basic-service,p,return,0,w" for number, minute in ((1, 9), (16, 15))
    ]
    rows = []
    for second in range(0, 1200, 5):
        for service in ("ts-basic-service", "ts-route-service"):
            moment = f"2026-01-01T00:{second // 60:02d}:{second % 60:02d}.123456789Z"
            text = json.dumps({"log": f"08:00:00.1 INFO  c.Main#7 TraceID: t{second} SpanID: s{second} [asked]\n"})
            rows.append(
                f'w,{moment},0,n,{service}-5dc8d4f9fd-46997,server,t{second},s,"{text.replace(chr(34), chr(34) * 2)}"'
            )
    rows.append("w,2026-01-01T00:00:01Z,0,n,ts-basic-service-5dc8d4f9fd-46997,server,t,s,no JSON")
    header = "window,Timestamp,TimeUnixNano,Node,PodName,Container,TraceID,SpanID,Log"
    pack(tmp_path / "nezha-trainticket" / "logs.csv.gz", header, *rows)
    columns = "fault_no,inject_time_utc,service,pod,fault_type,inject_timestamp_as_published,log_windows"
    pack(tmp_path / "nezha-trainticket" / "faults.csv", columns, *faults)
    return tmp_path


@pytest.fixture
def web(tmp_path: Path) -> Path:
    """A folder like that of the public set: three days that train, one that tests, one line that does not parse."""
    lines = [
        f'10.0.0.1 - - [{day}/May/2015:10:05:{i:02d} +0000] "GET /page/{i} HTTP/1.1" 200 7 "-" "agent"'
        for day in (17, 18, 19, 20)
        for i in range(10)
    ]
    pack(tmp_path / "web-access" / "access.log.gz", *lines, "cut off")
    return tmp_path
