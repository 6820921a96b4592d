from __future__ import annotations

import stat
from pathlib import Path

import pytest

from chaos.actions import credentials
from chaos.errors import TargetUnreachable
from chaos.undo import UndoLedger
from faultline.config import Paths
from faultline.shop import credentials_file


@pytest.fixture
def environ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.setenv("FAULTLINE_HOME", str(tmp_path))
    return {"FAULTLINE_HOME": str(tmp_path)}


@pytest.fixture
def token(environ: dict[str, str]) -> Path:
    """The file of payments, as its first start leaves it."""
    path = credentials_file(Paths.from_env(environ), "payments")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"the old one\n")
    path.chmod(0o600)
    return path


def test_a_new_token_is_in_place_and_the_undo_brings_the_old_bytes_back(environ: dict[str, str], token: Path) -> None:
    credentials.rotate("payments")
    assert (len(token.read_text()), stat.S_IMODE(token.stat().st_mode)) == (65, 0o600)
    ledger = UndoLedger.from_env(environ)
    assert ledger.undo_all() == ["chaos.actions.credentials.restore(service='payments')"]
    assert token.read_bytes() == b"the old one\n"
    assert [path.name for path in token.parent.iterdir()] == [token.name]


def test_the_oldest_token_is_what_comes_back(environ: dict[str, str], token: Path) -> None:
    for _ in range(2):
        credentials.rotate("payments")
    UndoLedger.from_env(environ).undo_all()
    assert token.read_bytes() == b"the old one\n"


def test_no_token_is_written_into_the_ledger(environ: dict[str, str], token: Path) -> None:
    credentials.rotate("payments")
    ledger = (Path(environ["FAULTLINE_HOME"]) / "chaos" / "undo.jsonl").read_text()
    assert "the old one" not in ledger
    assert token.read_text().strip() not in ledger


def test_undoing_what_was_never_done_changes_nothing(environ: dict[str, str], token: Path) -> None:
    credentials.restore(environ, "payments")
    assert token.read_bytes() == b"the old one\n"


def test_killed_between_keeping_and_replacing_leaves_nothing_behind(environ: dict[str, str], token: Path) -> None:
    token.with_suffix(".kept").hardlink_to(token)
    credentials.restore(environ, "payments")
    assert (token.read_bytes(), list(token.parent.iterdir())) == (b"the old one\n", [token])


def test_a_service_without_credentials_is_out_of_reach(environ: dict[str, str]) -> None:
    with pytest.raises(
        TargetUnreachable, match=r"^credentials of storefront: .*storefront\.token is missing, expected"
    ):
        credentials.rotate("storefront")
    assert UndoLedger.from_env(environ).pending() == []
