import gzip
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from prometheus_client import CollectorRegistry

from faultline.config import REPOSITORY, Topics
from faultline.errors import ConfigError, SinkUnavailable
from faultline.kafka_io import headers_of, read_topic
from faultline.metrics import FeederMetrics
from feeder import replay as module
from feeder.delivery import Delivery
from feeder.replay import FileDamaged, Progress, Replay, main, source_for

LINE = b'10.0.0.7 - - [02/Jan/2026:03:04:05 +0000] "GET /%d HTTP/1.1" 200 5 "-" "x"'


@pytest.fixture
def shown():
    return []


@pytest.fixture
def send(producer, shown):
    """A function `send(path, **options)` that replays a file and returns what the producer got."""

    def send(path: Path, kind="nginx_access", form="combined", service="@file", rate=None):
        progress = Progress(shown.append, path.stat().st_size)
        delivery = Delivery(producer, Topics(), FeederMetrics(CollectorRegistry()))
        replay = Replay(delivery, "h1", 1024, progress)
        replay.send(path, source_for(kind, form, service), rate)
        replay.finish()
        send.progress = progress
        return [(sent.topic, sent.value) for sent in producer.sent]

    return send


def bodies(sent) -> list[str]:
    return [msgspec.json.decode(value)["body"] for topic, value in sent if topic == "logs"]


def test_every_line_is_sent(tmp_path, send):
    path = tmp_path / "shop.access.log"
    path.write_bytes(LINE % 1 + b"\r\n\n" + LINE % 2)
    sent = send(path)
    assert bodies(sent) == ["GET /1 200", "", "GET /2 200"]
    first = msgspec.json.decode(sent[0][1])
    assert (first["service_name"], first["attributes"]["log.file.path"]) == ("shop", str(path))
    assert (send.progress.sent, send.progress.acknowledged) == (3, 3)


def test_packed_file_gives_the_lines_of_the_unpacked_one(tmp_path, send):
    path = tmp_path / "access.log.gz"
    path.write_bytes(gzip.compress(b"".join(LINE % n + b"\n" for n in range(5000))))
    assert bodies(send(path)) == [f"GET /{n} 200" for n in range(5000)]
    assert send.progress.text().startswith("100 % read, 5000 lines sent, 5000 acknowledged, ")


def test_sent_again_it_has_the_same_ids(tmp_path, send):
    path = tmp_path / "access.log"
    path.write_bytes(LINE % 1 + b"\n" + LINE % 1 + b"\n")
    ids = [msgspec.json.decode(value)["event_id"] for _, value in send(path) and send(path)]
    assert ids[:2] == ids[2:]
    assert len(set(ids)) == 2


def test_long_line_is_set_aside_in_pieces(tmp_path, send):
    path = tmp_path / "access.log"
    path.write_bytes(b"x" * 1500 + b"\n" + LINE % 2 + b"\n")
    sent = send(path)
    assert [(topic, len(value)) for topic, value in sent[:2]] == [("logs-dead-letter", 1024), ("logs-dead-letter", 476)]
    assert bodies(sent) == ["GET /2 200"]


DAMAGED = {
    "not packed at all": b"hello\n",
    "cut": gzip.compress(b"".join(LINE % n + b"\n" for n in range(5000)))[:-40],
    "wrong inside": gzip.compress(b"hello\n" * 1000)[:20] + b"\x00" * 30,
    "wrong sum": gzip.compress(b"hello\n")[:-8] + b"\x00" * 8,
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_damaged_file_says_how_far_it_came(tmp_path, send, producer, content):
    path = tmp_path / "access.log.gz"
    path.write_bytes(content)
    with pytest.raises(
        FileDamaged, match=r"access.log.gz: damaged behind byte \d+ of its content \(.*\); the \d+ lines"
    ):
        send(path)


def test_lines_before_the_damage_are_sent(tmp_path, send, producer):
    path = tmp_path / "access.log.gz"
    path.write_bytes(DAMAGED["cut"])
    with pytest.raises(FileDamaged) as caught:
        send(path)
    assert len(producer.sent) > 2000
    assert str(caught.value).endswith(f"; the {len(producer.sent)} lines before it were sent")


def test_refused_line_ends_the_replay(tmp_path, send, producer):
    path = tmp_path / "access.log"
    path.write_bytes(LINE % 1 + b"\n")
    producer.refusal = "Broker: Unknown topic or partition"
    with pytest.raises(SinkUnavailable, match="the broker refused a record of"):
        send(path)


def test_rate_spreads_the_lines_over_time(tmp_path, send, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(module, "monotonic", lambda: now[0])
    waited = []

    def serve(self, seconds):
        waited.append(seconds)
        now[0] += seconds
        self._producer.poll(seconds)

    monkeypatch.setattr(Delivery, "serve", serve)
    path = tmp_path / "access.log"
    path.write_bytes(b"".join(LINE % n + b"\n" for n in range(41)))
    send(path, rate=10.0)
    assert now[0] == pytest.approx(4.0)


def test_progress_is_shown_once_a_second(monkeypatch, shown):
    now = [10.0]
    monkeypatch.setattr(module, "monotonic", lambda: now[0])
    progress = Progress(shown.append, 200)
    for n in range(30):
        now[0] += 0.1
        progress.sent, progress.read_bytes = n + 1, 100
        progress.tick()
    assert len(shown) in (2, 3)
    assert shown[0].startswith("50 % read, ")
    assert shown[0].endswith(" lines/s")


def test_empty_file_is_read_to_its_end(tmp_path, send):
    path = tmp_path / "access.log"
    path.touch()
    assert send(path) == []
    assert send.progress.text().startswith("100 % read, 0 lines sent")


def test_format_of_another_type_is_refused():
    with pytest.raises(ConfigError, match="--format is 'xml', expected one of nginx_json, combined for --source-type"):
        source_for("nginx_access", "xml", "s")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["nowhere.log", "--source-type", "nginx_access"], "File 'nowhere.log' does not exist"),
        ([".", "--source-type", "nginx_access"], "File '.' is a directory"),
        ([__file__], "Missing option '--source-type'"),
        ([__file__, "--source-type", "fastapi_status"], "'fastapi_status' is not one of 'app_container_log'"),
        ([__file__, "--source-type", "nginx_access", "--rate", "0"], "0.0 is not in the range x>0"),
        ([__file__, "--source-type", "nginx_access", "--format", "xml"], "Error: --format is 'xml', expected one of"),
    ],
)
def test_wrong_arguments(arguments, text):
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code != 0
    assert text in result.output


def test_interrupt_ends_the_sending_and_a_second_one_the_wait(tmp_path, producer, shown):
    path = tmp_path / "access.log"
    path.write_bytes(b"".join(LINE % n + b"\n" for n in range(10)))
    progress = Progress(shown.append, path.stat().st_size)
    replay = Replay(Delivery(producer, Topics(), FeederMetrics(CollectorRegistry())), "h1", 1024, progress)
    producer.acknowledging = False
    real = producer.produce

    def produce(*arguments, **options):
        real(*arguments, **options)
        if len(producer.sent) == 3:
            replay.interrupt()

    producer.produce = produce
    replay.send(path, source_for("nginx_access", "combined", "s"))
    assert progress.sent == 3
    replay.interrupt()
    replay.finish()
    assert progress.acknowledged == 0


@pytest.mark.integration
def test_ctrl_c_ends_the_command_without_a_traceback(tmp_path, kafka_bootstrap, topics):
    path = tmp_path / "shop.log"
    path.write_bytes(b"".join(LINE % n + b"\n" for n in range(100_000)))
    environ = os.environ | {
        "FAULTLINE_KAFKA": kafka_bootstrap,
        "FAULTLINE_HOME": str(tmp_path / "home"),
        "FAULTLINE_TOPIC_LOGS": (logs := topics("logs")),
    }
    command = [sys.executable, "-m", "feeder.replay", str(path), "--source-type", "nginx_access", "--rate", "500"]
    process = subprocess.Popen(command, cwd=REPOSITORY, env=environ, stderr=subprocess.PIPE, text=True)
    assert " lines sent" in process.stderr.readline()  # it is under way
    process.send_signal(signal.SIGINT)
    _, rest = process.communicate(timeout=60)
    assert (process.returncode, "Traceback" in rest) == (130, False)
    sent, acknowledged = re.search(r"interrupted: .* (\d+) lines sent, (\d+) acknowledged", rest).groups()
    assert int(sent) == int(acknowledged) == len(list(read_topic(kafka_bootstrap, logs)))


@pytest.mark.integration
def test_command(tmp_path, kafka_bootstrap, topics):
    path = tmp_path / "shop.log.gz"
    path.write_bytes(gzip.compress(LINE % 1 + b"\n" + b"x" * 2000 + b"\n" + LINE % 2))
    logs, dead = topics("logs"), topics("dead")
    environ = {
        "FAULTLINE_KAFKA": kafka_bootstrap,
        "FAULTLINE_HOME": str(tmp_path / "home"),
        "FAULTLINE_TOPIC_LOGS": logs,
        "FAULTLINE_TOPIC_DEAD_LETTER": dead,
        "FAULTLINE_MAX_LINE_BYTES": "1024",
    }
    arguments = [str(path), "--source-type", "nginx_access", "--format", "combined"]
    result = CliRunner().invoke(main, arguments, env=environ)
    assert (result.exit_code, result.exception) == (0, None)
    assert "done: 100 % read, 4 lines sent, 4 acknowledged, " in result.output
    assert [msgspec.json.decode(m.value())["body"] for m in read_topic(kafka_bootstrap, logs)] == [
        "GET /1 200",
        "GET /2 200",
    ]
    pieces = list(read_topic(kafka_bootstrap, dead))
    assert [len(piece.value()) for piece in pieces] == [1024, 976]
    assert headers_of(pieces[0])["reason"] == "line_too_long"
