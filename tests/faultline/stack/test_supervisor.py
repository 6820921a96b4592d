import os
from pathlib import Path

import pytest

from faultline.config import Paths
from faultline.errors import StackError
from faultline.stack.programs import declare_programs
from faultline.stack.supervisor import Supervisor, configuration, socket_path


def test_socket_lies_in_the_run_folder_when_its_path_is_short() -> None:
    assert socket_path(Paths(Path("/srv/f"))) == Path("/srv/f/run/supervisor.sock")


@pytest.mark.parametrize("home", ["/srv/" + "long/" * 30, "/srv/a;b", "/srv/a #b", "/srv/100%"])
def test_other_homes_get_a_short_socket_of_their_own(home: str) -> None:
    path = socket_path(Paths(Path(home)))
    assert path.name == "supervisor.sock"
    assert path.parent.name.startswith(f"faultline-{os.getuid()}-")
    assert path != socket_path(Paths(Path(home + "2")))


def test_configuration_waits_for_orders_and_listens_on_no_port() -> None:
    programs = declare_programs({"FAULTLINE_HOME": "/srv/f"})
    text = configuration(programs.values(), Path("/srv/f/run/supervisor.sock"), user_id=1000)
    assert text.count("[program:") == text.count("autostart=false") == len(programs)
    assert "chmod=0700" in text
    assert "inet_http_server" not in text
    assert "user=" not in text


def test_nothing_answers_where_nothing_runs(tmp_path: Path) -> None:
    supervisor = Supervisor({"FAULTLINE_HOME": str(tmp_path)})
    assert supervisor.pid() is None
    assert supervisor.states() == {}


def test_a_socket_folder_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    supervisor = Supervisor({"FAULTLINE_HOME": str(tmp_path / ("x" * 100))})
    supervisor.socket.parent.symlink_to(tmp_path)
    with pytest.raises(StackError, match="belongs to another user; remove it, or set FAULTLINE_HOME to a shorter path"):
        supervisor.launch([])
