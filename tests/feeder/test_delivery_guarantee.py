"""Whatever is done to files and feeder, in any order: every line arrives, repeats have their id, places differ."""

import os
import tempfile
from pathlib import Path

import msgspec
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from feeder import tail
from feeder.offsets import load_offsets
from feeder.watching import ROTATED_QUIET_SECONDS

NAMES = ("a.log", "b.log")


class World:
    """A machine on which steps happen, and what was written on it; every line is unique, as a time makes it."""

    def __init__(self, machine) -> None:
        self.machine = machine
        self.run = machine.start()
        self.written: set[str] = set()
        self.half = dict.fromkeys(NAMES, "")
        self.sent: list = []
        self.count = 0

    def _append(self, name: str, text: str, end: str = "\n") -> None:
        self.count += 1
        text = f"{self.count}: {text} "
        self.machine.write(text + end, name)
        self.half[name] += text
        if end:
            self._end_line(name)

    def _end_line(self, name: str) -> None:
        if self.half[name]:
            self.written.add(self.half[name])
        self.half[name] = ""

    def line(self, name: str) -> None:
        self._append(name, "x")

    def long_line(self, name: str) -> None:
        self._append(name, f"{self.count}," * 600)

    def half_line(self, name: str) -> None:
        self._append(name, "half", end="")

    def rotate(self, name: str) -> None:
        self.count += 1
        if self.machine.path(name).exists():
            self._be_seen(name)
            self.machine.path(name).rename(self.machine.path(f"{name}.{self.count}"))
            self._end_line(name)  # a line without end is one when nobody can end it any more

    def _be_seen(self, name: str) -> None:
        """A file that comes and goes between two looks was never there for any reader, unless none was running."""
        status = self.machine.path(name).stat()
        stored = load_offsets(self.run.config.state)
        seen = (status.st_dev, status.st_ino) in {offset.identity.key for offset in stored}
        down = self.run.watcher.files == 0 and str(self.machine.path(name)) in {offset.path for offset in stored}
        if not seen and not down:
            self.run.feeder.round()

    def truncate(self, name: str) -> None:
        """Only what was read: what is cut away before is lost to every reader, as is a half line with the process."""
        if self.machine.path(name).exists():
            self._drain()
            os.truncate(self.machine.path(name), 0)
            self._end_line(name)
            self.run.rounds()

    def delete(self, name: str) -> None:
        """Only what was read, as for a truncation."""
        if self.machine.path(name).exists():
            self._drain()
            self.machine.path(name).unlink()
            self._end_line(name)
            self._outlast()

    def read(self, name: str) -> None:
        self.run.producer.acknowledging = True
        self.run.rounds()

    def read_without_acknowledgement(self, name: str) -> None:
        self.run.producer.acknowledging = False
        self.run.rounds()

    def acknowledge_every_other(self, name: str) -> None:
        self.run.producer.acknowledge(slice(1, None, 2))
        self.run.feeder.save()

    def wait(self, name: str) -> None:
        self.machine.now += ROTATED_QUIET_SECONDS + 1
        self.run.rounds()

    def kill(self, name: str) -> None:
        self.sent += self.run.producer.sent
        self.run.watcher.close()
        self.run = self.machine.start()

    def kill_in_a_round(self, name: str) -> None:
        """The broker has the lines, the offsets file says nothing of them."""
        self.run.feeder.round()
        self.kill(name)

    def _drain(self) -> None:
        self.run.producer.acknowledging = True
        self.run.rounds(2)
        while self.run.watcher.unread_bytes:
            self.run.rounds()
        self.run.rounds()

    def _outlast(self) -> None:
        """Let every rotated file be finished."""
        for _ in range(3):
            self._drain()
            self.machine.now += 10_000
        self._drain()

    def end(self) -> None:
        for name in NAMES:
            if self.half[name]:
                self.line(name)
        self._outlast()
        self.kill("")

    def expected(self) -> set[tuple[str, str]]:
        """Topic and text of what was written, long lines in pieces."""
        size = self.machine.max_line
        found = {("logs", text) for text in self.written if len(text) <= size}
        for text in self.written:
            if len(text) > size:
                found |= {("logs-dead-letter", text[n : n + size]) for n in range(0, len(text), size)}
        return found

    def check(self) -> None:
        ids: dict[str, tuple] = {}
        for sent in self.sent:
            event_id, place = identify(sent)
            assert ids.setdefault(event_id, place) == place, "two places have the same id"
        assert len(set(ids.values())) == len(ids), "one place has two ids"
        assert {(place[0], place[-1]) for place in ids.values()} == self.expected()
        assert len({place[-1] for place in ids.values()}) == len(ids), "one line has two places"


def identify(sent) -> tuple[str, tuple]:
    """Return event id, and topic, path, offset and text."""
    if sent.topic == "logs-dead-letter":
        headers = sent.headers
        place = (headers["log.file.path"], headers["log.file.offset"], sent.value.decode())
        return headers["event_id"], (sent.topic, *place)
    record = msgspec.json.decode(sent.value)
    attributes = record["attributes"]
    return record["event_id"], (
        sent.topic,
        attributes["log.file.path"],
        attributes["log.file.offset"],
        record["body"],
    )


STEPS = (
    World.line,
    World.line,
    World.long_line,
    World.half_line,
    World.rotate,
    World.truncate,
    World.delete,
    World.read,
    World.read_without_acknowledgement,
    World.acknowledge_every_other,
    World.wait,
    World.kill,
    World.kill_in_a_round,
)
A = "a.log"


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@example(steps=[(World.line, A), (World.kill_in_a_round, A), (World.line, A), (World.rotate, A), (World.line, A)])
@example(steps=[(World.long_line, A), (World.read_without_acknowledgement, A), (World.kill, A), (World.rotate, A)])
@example(steps=[(World.half_line, A), (World.read, A), (World.rotate, A), (World.kill, A), (World.wait, A)])
@example(
    steps=[
        (World.line, A),
        (World.line, A),
        (World.read_without_acknowledgement, A),
        (World.acknowledge_every_other, A),
        (World.kill, A),
    ]
)
@given(steps=st.lists(st.tuples(st.sampled_from(STEPS), st.sampled_from(NAMES)), max_size=40))
def test_every_line_arrives_and_repeats_are_recognised(make_machine, monkeypatch, steps):
    monkeypatch.setattr(tail, "CHUNK_BYTES", 700)
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)  # a kill loses no write, only a power cut does
    with tempfile.TemporaryDirectory() as folder:
        machine = make_machine(Path(folder))
        world = World(machine)
        try:
            for step, name in steps:
                step(world, name)
            world.end()
            world.check()
        finally:
            machine.close()
