"""Header, level and clock of raw lines of many systems; the message stays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.datasets.lines import read_line
from faultline.records import Severity

LINES = {
    "hdfs": (
        "081109 203530 147 INFO dfs.DataNode: Receiving block blk_1",
        "INFO",
        "dfs.DataNode: Receiving block blk_1",
    ),
    "bgl": (
        "1117838570 2005.06.03 R02-M1 2005-06-03-15.42.50.675872 R02-M1 RAS KERNEL FATAL data TLB error",
        "FATAL",
        "RAS KERNEL data TLB error",
    ),
    "bgl without a node": (
        "1117838570 2005.06.03 NULL 2005-06-03-15.42.50.675872 NULL RAS MMCS ERROR idoproxydb hit ASSERT",
        "ERROR",
        "RAS MMCS idoproxydb hit ASSERT",
    ),
    "thunderbird": (
        "1131566461 2005.11.09 dn228 Nov 9 12:01:01 dn228/dn228 crond(pam_unix)[2915]: session closed",
        "UNSPECIFIED",
        "crond(pam_unix)[2915]: session closed",
    ),
    "apache": (
        "[Sun Dec 04 04:47:44 2005] [error] mod_jk child in error state 6",
        "ERROR",
        "mod_jk child in error state 6",
    ),
    "zookeeper": ("2015-07-29 17:41:44,747 - WARN  [Main@774] - Notification", "WARN", "[Main@774] - Notification"),
    "no header": ("error while reading", "UNSPECIFIED", "error while reading"),
    "nothing but numbers": ("1 2 3", "UNSPECIFIED", "3"),
}


@pytest.mark.parametrize("name", LINES)
def test_a_line_is_taken_apart(name):
    text, level, body = LINES[name]
    line = read_line(text)
    assert (line.severity, line.body) == (Severity(level), body)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("081109 203530 147 INFO a", "2008-11-09T20:35:30+00:00"),
        ("1117838570 2005.06.03 R02 INFO a", "2005-06-03T22:42:50+00:00"),
        ("2015-07-29 17:41:44,747 - WARN a", "2015-07-29T17:41:44+00:00"),
        ("2015-13-29 17:41:44 a", None),
        ("nothing here", None),
    ],
)
def test_a_clock_is_found_or_not(text, moment):
    found = read_line(text).timestamp
    assert (found.isoformat() if found else None) == moment


@given(st.text(min_size=1))
def test_any_text_is_read(text):
    read_line(text)
