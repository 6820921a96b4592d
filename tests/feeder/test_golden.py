"""What each source type and format becomes, byte for byte; `--rewrite-golden` writes the files anew."""

import os
import time
from pathlib import Path

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from faultline.config import REPOSITORY, Topics
from faultline.metrics import FeederMetrics
from faultline.records import Event, SourceType
from feeder import app_container_metrics, fastapi_status
from feeder.delivery import Delivery
from feeder.lines import LineSplitter
from feeder.sending import LineSender
from feeder.sources import PARSERS, FileSource

FOLDER = REPOSITORY / "tests" / "golden" / "feeder"
LINES = [(kind, form) for kind, formats in PARSERS.items() for form in formats]
PAGES = {SourceType.FASTAPI_STATUS: fastapi_status.parse, SourceType.APP_CONTAINER_METRICS: app_container_metrics.parse}


@pytest.fixture(autouse=True)
def zone_of_the_machine(monkeypatch):
    """nginx's error log has local times."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def compare(rewrite_golden):
    """A function that holds records to a file, or writes it."""

    def compare(name: str, values: list[bytes]) -> None:
        path = FOLDER / f"{name}.jsonl"
        content = b"".join(value + b"\n" for value in values)
        if rewrite_golden:
            path.write_bytes(content)
        assert path.read_bytes().splitlines() == content.splitlines()

    return compare


@pytest.mark.parametrize(("kind", "form"), LINES, ids=["-".join(pair) for pair in LINES])
def test_lines(kind, form, producer, make_origin, compare):
    source = FileSource(kind, "", "shop", PARSERS[kind][form], from_end=False)
    moment = make_origin().observed_timestamp
    sender = LineSender(Delivery(producer, Topics(), FeederMetrics(CollectorRegistry())), "h1", lambda: moment)
    splitter = LineSplitter(0, 4096)
    for line in (*splitter.feed((FOLDER / f"{kind}-{form}.in").read_bytes()), *splitter.rest()):
        sender.send(source, f"/var/log/{kind}.log", line, lambda: None)
    assert {sent.topic for sent in producer.sent} == {"logs"}
    compare(f"{kind}-{form}", [sent.value for sent in producer.sent])


@pytest.mark.parametrize("kind", PAGES)
def test_pages(kind, make_origin, compare):
    """An .in file holds one answer after the other: a line with the status, the page, an empty line."""
    origin = make_origin(kind, path=f"http://shop.test/{kind}")
    answers = (FOLDER / f"{kind}.in").read_bytes().rstrip(b"\n").split(b"\n\n")
    split = [answer.partition(b"\n") for answer in answers]
    events = [PAGES[kind](origin, int(status), page + b"\n" * bool(page), 0.25) for status, _, page in split]
    compare(str(kind), [event.to_bytes() for event in events])


def test_every_source_type_has_its_files():
    names = {f"{kind}-{form}" for kind, form in LINES} | set(PAGES)
    assert {Path(name).stem for name in os.listdir(FOLDER)} == names  # noqa: PTH208 - the names are compared


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.jsonl")), ids=lambda path: path.stem)
def test_records_survive_the_round_trip(path):
    for value in path.read_bytes().splitlines():
        if msgspec.json.decode(value)["body"].strip() and b'"timestamp":"1970' not in value and b"2099-" not in value:
            assert Event.from_bytes(value).to_bytes() == value
