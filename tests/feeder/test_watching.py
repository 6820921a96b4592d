"""Real files in a folder; the clock stands, and a run that is dropped was killed."""

import logging
import os
from time import time

import pytest

from feeder import tail, watching
from feeder.offsets import load_offsets
from feeder.watching import RENAMED_QUIET_SECONDS, ROTATED_QUIET_SECONDS


def ids(run) -> dict[str, str]:
    return {record["event_id"]: record["body"] for record in run.records}


def paths(run) -> set[str]:
    return {record["attributes"]["log.file.path"] for record in run.records}


def test_lines_as_they_are_written(machine):
    machine.write("one\ntwo\nthr")
    run = machine.start()
    assert run.rounds() == ["one", "two"]
    machine.write("ee\r\n\n")
    assert run.rounds() == ["one", "two", "three", ""]


def test_file_that_appears_later_is_read_from_its_beginning(machine):
    machine.sources = [machine.source("*.log", from_end=True)]
    run = machine.start()
    assert run.rounds() == []
    machine.write("one\n", "new.log")
    assert run.rounds() == ["one"]
    assert run.records[0]["service_name"] == "new"


def test_rename_rotation(machine):
    machine.write("one\n")
    run = machine.start()
    run.rounds()
    machine.write("two\nlast")
    machine.path().rename(machine.path("app.log.1"))
    machine.write("new\n")
    assert run.rounds() == ["one", "two", "new"]
    machine.write(" words\nlate\n", "app.log.1")
    assert run.rounds() == ["one", "two", "new", "last words", "late"]
    assert paths(run) == {str(machine.path())}


def test_rotated_file_is_finished_when_it_has_been_quiet_and_its_half_line_is_sent(machine):
    machine.write("one\nlast words")
    run = machine.start()
    run.rounds()
    machine.path().rename(machine.path("app.log.1"))
    machine.write("new\n")
    assert run.rounds(50) == ["one", "new"]
    machine.now += ROTATED_QUIET_SECONDS + 1
    assert run.rounds(2) == ["one", "new", "last words"]
    assert run.watcher.files == 1


def test_many_quick_rounds_do_not_finish_a_rotated_file(machine):
    machine.write("one\n")
    run = machine.start()
    run.rounds()
    machine.path().rename(machine.path("app.log.1"))
    machine.write("new\n")
    run.rounds(200)
    machine.write("late\n", "app.log.1")
    assert run.rounds() == ["one", "new", "late"]


def test_writer_of_a_rotated_file_keeps_it_open(machine):
    machine.write("one\n")
    run = machine.start()
    run.rounds()
    machine.path().rename(machine.path("app.log.1"))
    machine.write("new\n")
    for _ in range(5):
        machine.now += ROTATED_QUIET_SECONDS - 1
        machine.write("late\n", "app.log.1")
        run.rounds()
    assert run.bodies.count("late") == 5


def test_renamed_file_without_successor_is_followed_for_an_hour(machine):
    machine.write("one\n")
    run = machine.start()
    run.rounds()
    machine.path().rename(machine.path("app.log.1"))
    machine.now += RENAMED_QUIET_SECONDS - 1
    machine.write("two\n", "app.log.1")
    assert run.rounds() == ["one", "two"]
    machine.now += RENAMED_QUIET_SECONDS + 1
    run.rounds()
    assert run.watcher.files == 0


def test_rotated_file_is_not_finished_before_its_last_line_is_acknowledged(machine):
    machine.write("one\nlast")
    run = machine.start()
    run.producer.acknowledging = False
    run.rounds()
    machine.path().unlink()
    run.rounds()
    machine.now += ROTATED_QUIET_SECONDS + 1
    run.rounds(3)
    assert run.watcher.files == 1
    run.producer.acknowledging = True
    run.rounds(2)
    assert (run.watcher.files, run.bodies) == (0, ["one", "last"])


def test_rotated_file_that_is_far_from_read_is_not_finished(machine, monkeypatch):
    monkeypatch.setattr(tail, "CHUNK_BYTES", 4)
    machine.write("one\ntwo\nsix\n")
    run = machine.start()
    run.rounds()
    machine.path().unlink()
    for _ in range(3):
        machine.now += ROTATED_QUIET_SECONDS + 1
        run.rounds()
    assert run.bodies == ["one", "two", "six"]


def test_rotated_file_whose_new_name_matches_is_not_sent_twice(machine):
    machine.sources = [machine.source("app.log*")]
    machine.write("one\n")
    run = machine.start()
    run.rounds()
    machine.path().rename(machine.path("app.log.1"))
    machine.write("new\n")
    run.rounds()
    machine.now += ROTATED_QUIET_SECONDS + 1
    run.rounds(3)
    machine.start().rounds(3)
    assert run.bodies == ["one", "new"]
    machine.write("late\n", "app.log.1")
    assert run.rounds() == ["one", "new", "late"]


def test_line_written_in_the_moment_a_rotated_file_would_be_finished_is_read(machine):
    machine.write("one\n")
    run = machine.start()
    run.rounds()
    machine.path().rename(machine.path("app.log.1"))
    machine.write("new\n")
    run.rounds()
    machine.now += ROTATED_QUIET_SECONDS + 1
    late = ["late\n"]

    def clock() -> float:
        """Asked between the last read and the end."""
        if late:
            machine.write(late.pop(), "app.log.1")
        return machine.now

    run.watcher._clock = clock
    assert run.rounds(2) == ["one", "new", "late"]


def test_two_rotations_at_once(machine):
    machine.write("one\n")
    run = machine.start()
    run.rounds()
    machine.write("two\n")
    machine.path().rename(machine.path("app.log.1"))
    machine.write("three\n")
    run.rounds()
    machine.write("four\n")
    machine.path("app.log.1").rename(machine.path("app.log.2"))
    machine.path().rename(machine.path("app.log.1"))
    machine.write("five\n")
    machine.write("six\n", "app.log.2")
    assert sorted(run.rounds()) == sorted(["one", "two", "three", "four", "five", "six"])
    assert run.watcher.files == 3


def test_copytruncate(machine):
    machine.write("one\ntwo\n")
    run = machine.start()
    run.rounds()
    os.truncate(machine.path(), 0)
    run.rounds()
    machine.write("new\n")
    assert run.rounds() == ["one", "two", "new"]
    assert load_offsets(run.config.state)[0].offset == 4


def test_half_line_that_was_read_before_a_truncation_is_sent(machine):
    machine.write("one\nhalf")
    run = machine.start()
    run.rounds()
    os.truncate(machine.path(), 0)
    machine.write("new\n")
    assert run.rounds() == ["one", "half", "new"]


def test_acknowledgement_from_before_a_truncation_does_not_move_the_new_offset(machine):
    machine.write("one\ntwo\n")
    run = machine.start()
    run.producer.acknowledging = False
    run.rounds()
    os.truncate(machine.path(), 0)
    machine.write("first\n")
    run.rounds()
    run.producer.acknowledge(slice(0, 2))
    run.feeder.save()
    assert load_offsets(run.config.state)[0].offset == 0
    assert machine.start().rounds() == ["first"]


def test_truncation_just_before_a_kill_loses_nothing_of_what_comes_after(machine):
    machine.write("one\ntwo\n")
    run = machine.start()
    run.rounds()
    os.truncate(machine.path(), 0)
    machine.write("a longer line than before\n")
    run.feeder.save()  # before the truncation was noticed
    assert machine.start().rounds() == ["a longer line than before"]


def test_restart_in_the_middle_of_a_file(machine):
    machine.write("one\ntwo\nthr")
    machine.start().rounds()
    machine.write("ee\nfour\n")
    assert machine.start().rounds() == ["three", "four"]


def test_restart_sends_again_what_was_not_acknowledged_with_the_same_ids(machine):
    machine.write("one\ntwo\nthree\n")
    run = machine.start()
    run.producer.acknowledging = False
    run.rounds()
    run.producer.acknowledge(slice(0, 1))
    run.producer.acknowledge(slice(1, 2))  # the third before the second
    run.feeder.save()
    again = machine.start()
    assert again.rounds() == ["two", "three"]
    assert ids(again).items() <= ids(run).items()


def test_rotation_while_nobody_watched(machine):
    machine.write("one\ntwo\n")
    run = machine.start()
    run.producer.acknowledging = False
    run.rounds()
    run.producer.acknowledge(slice(0, 1))
    run.feeder.save()
    machine.write("three\n")
    machine.path().rename(machine.path("app.log.1"))
    machine.path("app.log.1").rename(machine.path("app.log.2"))
    machine.write("new\n")
    again = machine.start()
    assert again.rounds() == ["two", "three", "new"]
    assert paths(again) == {str(machine.path())}
    assert ids(run)[again.records[0]["event_id"]] == "two"


def test_unread_end_is_found_under_any_name_however_old_it_is(machine):
    machine.write("one\ntwo\n")
    run = machine.start()
    run.producer.acknowledging = False
    run.rounds()
    run.producer.acknowledge(slice(0, 1))
    run.feeder.save()
    machine.path().rename(machine.path("put-aside.txt"))
    os.utime(machine.path("put-aside.txt"), (0, time() - 86400))
    machine.write("new\n")
    assert machine.start().rounds() == ["two", "new"]


def test_three_rotations_while_nobody_watched(machine):
    machine.write("one\n")
    machine.start().rounds()
    for number, text in enumerate(["two\n", "three\n", "four\nhalf"]):
        machine.write(text)
        machine.path().rename(machine.path(f"app.log.{number}"))
    machine.write("new\n")
    again = machine.start()
    assert sorted(again.rounds()) == sorted(["two", "three", "four", "new"])
    assert paths(again) == {str(machine.path())}
    machine.now += ROTATED_QUIET_SECONDS + 1
    again.rounds()
    machine.now += ROTATED_QUIET_SECONDS + 1
    assert again.rounds(2)[-1] == "half"
    assert machine.start().rounds() == []


def test_rotation_from_before_the_first_run_is_never_read(machine):
    machine.write("old\n", "app.log.1")
    os.utime(machine.path("app.log.1"), (0, time() - 3600))
    machine.write("one\n")
    assert machine.start().rounds() == ["one"]
    assert machine.start().rounds() == []


def test_copytruncate_while_nobody_watched(machine):
    machine.write("one\n")
    run = machine.start()
    run.rounds()
    machine.write("two\n")
    machine.path("app.log.1").write_bytes(machine.path().read_bytes())
    machine.path().write_text("three\n")
    again = machine.start()
    assert sorted(again.rounds()) == sorted(["one", "two", "three"])
    assert set(ids(run)) <= set(ids(again))


@pytest.mark.parametrize("content", ["", "one\ntwo\n"])
def test_kill_before_anything_was_acknowledged_and_rotation_after_it(machine, content):
    machine.write(content)
    run = machine.start()
    run.producer.acknowledging = False
    run.feeder.round()  # killed here: nothing but the feeder itself has stored anything
    machine.write("three\n")
    machine.path().rename(machine.path("app.log.1"))
    machine.write("new\n")
    assert machine.start().rounds() == [*content.split(), "three", "new"]


def test_rotated_file_is_found_again_after_a_second_restart(machine, monkeypatch):
    monkeypatch.setattr(tail, "CHUNK_BYTES", 4)
    machine.write("one\ntwo\nsix\n")
    bodies = machine.start().rounds()
    machine.path().rename(machine.path("app.log.1"))
    bodies += machine.start().rounds()
    bodies += machine.start().rounds()
    assert bodies == ["one", "two", "six"]


def test_deletion(machine):
    machine.write("one\ntwo")
    run = machine.start()
    run.rounds()
    machine.path().unlink()
    run.rounds()
    machine.now += ROTATED_QUIET_SECONDS + 1
    assert run.rounds() == ["one", "two"]
    assert (run.watcher.files, run.watcher.offsets()) == (0, [])
    machine.write("new\n")
    assert run.rounds() == ["one", "two", "new"]


def test_inode_that_was_used_again_while_nobody_watched(machine):
    machine.write("one\ntwo\n")
    machine.start().rounds()
    inode = machine.path().stat().st_ino
    machine.path().write_text("another file that is longer\n")
    assert machine.path().stat().st_ino == inode
    assert machine.start().rounds() == ["another file that is longer"]


def test_inode_that_was_used_again_under_another_name_is_no_rotation(machine):
    machine.write("one\n")
    machine.start().rounds()
    machine.path().rename(machine.path("orders.log"))
    machine.path("orders.log").write_text("of the orders\n")
    again = machine.start()
    assert again.rounds() == ["of the orders"]
    assert paths(again) == {str(machine.path("orders.log"))}


def test_empty_file_says_nothing_about_who_has_its_inode_now(machine):
    machine.write("")
    machine.start().rounds()
    machine.path().rename(machine.path("orders.log"))
    machine.write("of the orders\n", "orders.log")
    again = machine.start()
    assert again.rounds() == ["of the orders"]
    assert again.records[0]["service_name"] == "orders"


def test_finished_file_is_remembered_once(machine):
    machine.sources = [machine.source("app.log*")]
    machine.write("one\n")
    run = machine.start()
    for _ in range(3):
        run.rounds()
        machine.path().rename(machine.path("app.log.1"))
        machine.write("x\n")
        run.rounds()
        machine.now += ROTATED_QUIET_SECONDS + 1
        run.rounds(2)
        machine.path("app.log.1").rename(machine.path())
    stored = load_offsets(run.config.state)
    assert len({offset.identity.key for offset in stored}) == len(stored)


def test_no_more_finished_files_are_remembered_than_allowed(machine, monkeypatch):
    monkeypatch.setattr(watching, "MAX_REMEMBERED", 2)
    names = [f"f{n}.log" for n in range(5)]
    for name in names:
        machine.write("x\n", name)
    run = machine.start()
    run.rounds()
    for name in names:
        machine.path(name).rename(machine.path(f"{name}.1"))
    machine.now += RENAMED_QUIET_SECONDS + 1
    run.rounds(2)
    machine.now += RENAMED_QUIET_SECONDS + 1
    run.rounds(2)
    assert len(load_offsets(run.config.state)) == 2


def test_followed_files_are_all_remembered(machine, monkeypatch):
    monkeypatch.setattr(watching, "MAX_REMEMBERED", 2)
    for n in range(5):
        machine.write("x\n", f"f{n}.log")
    assert len(machine.start().rounds()) == 5
    assert machine.start().rounds() == []


def test_new_only_begins_at_the_end(machine):
    machine.sources = [machine.source("*.log", from_end=True)]
    machine.write("old\nhal")
    run = machine.start()
    assert run.rounds() == []
    machine.write("f\nnew\n")
    assert run.rounds() == ["half", "new"]


def test_new_only_after_a_restart_goes_on_where_it_was(machine):
    machine.sources = [machine.source("*.log", from_end=True)]
    machine.write("old\n")
    machine.start().rounds()
    machine.write("two\n")
    machine.path().rename(machine.path("app.log.1"))
    machine.write("of the successor\n")
    assert machine.start().rounds() == ["two", "of the successor"]


def test_two_busy_files_take_turns(machine, monkeypatch):
    monkeypatch.setattr(tail, "CHUNK_BYTES", 40)
    for name in ("a.log", "b.log"):
        machine.write("".join(f"{name} {n}\n" for n in range(20)), name)
    run = machine.start()
    for rounds in range(1, 4):
        bodies = run.rounds()
        counts = [sum(body.startswith(name) for body in bodies) for name in ("a.log", "b.log")]
        assert counts[0] == counts[1] == pytest.approx(5 * rounds, abs=1)


def test_long_line_is_set_aside_in_pieces_and_the_next_is_read(machine):
    line = b"x" * 2500 + b"\xff"
    machine.write(b"one\n" + line + b"\r\ntwo\n")
    run = machine.start()
    assert run.rounds(2) == ["one", "two"]
    assert b"".join(piece.value for piece in run.dead_letters) == line + b"\r"
    offsets = [int(piece.headers["log.file.offset"]) for piece in run.dead_letters]
    assert offsets == [4, 4 + 1024, 4 + 2048]


def test_restart_inside_a_long_line_sets_the_same_pieces_aside(machine):
    machine.write("x" * 3000 + "\nnext\n")
    run = machine.start()
    run.producer.acknowledging = False
    run.rounds()
    run.producer.acknowledge(slice(0, 1))
    run.feeder.save()
    again = machine.start()
    assert again.rounds() == ["next"]
    assert [piece.value for piece in again.dead_letters] == [piece.value for piece in run.dead_letters][1:]
    assert [piece.headers for piece in again.dead_letters] == [piece.headers for piece in run.dead_letters][1:]


def test_folder_pipe_and_broken_link_that_match_are_left_out(machine, caplog):
    machine.path("folder.log").mkdir()
    os.mkfifo(machine.path("pipe.log"))
    machine.path("broken.log").symlink_to("nowhere")
    machine.write("one\n")
    run = machine.start()
    assert run.rounds(3) == ["one"]
    refused = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert [record.path for record in refused] == [str(machine.path("folder.log")), str(machine.path("pipe.log"))]
    assert all("cannot be opened (not a regular file" in record.getMessage() for record in refused)
    assert run.metric("faultline_feeder_source_errors_total", source_type="app_container_log") == 6.0


def test_link_is_followed_and_a_file_with_two_names_is_read_once(machine):
    machine.write("one\n", "real.txt")
    machine.path("a.log").symlink_to("real.txt")
    os.link(machine.path("real.txt"), machine.path("b.log"))
    assert machine.start().rounds() == ["one"]


def test_file_that_was_replaced_between_look_and_open(machine, monkeypatch):
    """The name leads to the file that is followed already when it is opened, and to another one just before."""
    machine.write("one\n")
    run = machine.start()
    run.rounds()
    real = watching.key_of
    monkeypatch.setattr(watching, "key_of", lambda path: (0, 0))
    open_files = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - counted only
    machine.write("two\n")
    assert run.rounds(3) == ["one", "two"]
    assert len(os.listdir("/proc/self/fd")) == open_files  # noqa: PTH208
    monkeypatch.setattr(watching, "key_of", real)
    machine.write("three\n")
    assert run.rounds() == ["one", "two", "three"]


def test_file_that_is_gone_when_it_is_opened(machine, monkeypatch):
    machine.write("one\n")
    run = machine.start()

    def vanish(path):
        raise FileNotFoundError(path)

    with monkeypatch.context() as patch:
        patch.setattr(watching, "open_regular", vanish)
        assert run.rounds() == []
    assert run.rounds() == ["one"]


def test_read_that_fails_stops_no_other_file(machine, caplog):
    machine.write("one\n", "a.log")
    machine.write("two\n", "b.log")
    run = machine.start()
    run.watcher.look()
    bad = next(watched.file for watched in run.watcher._watched.values() if watched.file.path.endswith("a.log"))
    spare = os.dup(bad.descriptor)
    write_only = os.open(machine.path("a.log"), os.O_WRONLY)
    os.dup2(write_only, bad.descriptor)
    assert run.rounds(2) == ["two"]
    assert "not read: reading failed (Bad file descriptor)" in caplog.text
    os.dup2(spare, bad.descriptor)
    assert run.rounds() == ["two", "one"]
    os.close(spare)
    os.close(write_only)


def test_file_that_is_gone_at_the_start_is_reported_once(machine, caplog):
    machine.write("one\n")
    machine.start().rounds()
    machine.path().unlink()
    for _ in range(2):
        machine.start().rounds()
    gone = [record for record in caplog.records if "gone since the last run" in record.getMessage()]
    assert [(record.path, record.offset) for record in gone] == [(str(machine.path()), 4)]


def test_file_moved_to_another_folder_is_read_to_its_end(machine):
    machine.write("one\n")
    run = machine.start()
    run.rounds()
    (machine.home / "old").mkdir()
    machine.write("two\n")
    machine.path().rename(machine.home / "old" / "app.log.1")
    machine.write("new\n")
    assert run.rounds() == ["one", "two", "new"]


def test_unread_bytes_and_files(machine, monkeypatch):
    monkeypatch.setattr(tail, "CHUNK_BYTES", 4)
    machine.write("one\ntwo\nsix\n")
    run = machine.start()
    run.rounds()
    assert (run.watcher.files, run.watcher.unread_bytes) == (1, 8)
    assert run.metric("faultline_feeder_unread_bytes") == 8
    assert run.metric("faultline_feeder_watched_files") == 1


def test_many_files(machine):
    for n in range(300):
        machine.write(f"line of {n}\n", f"f{n}.log")
    run = machine.start()
    assert sorted(run.rounds()) == sorted(f"line of {n}" for n in range(300))
