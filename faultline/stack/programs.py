"""Every program of the embedded stack: what starts it, what it waits for, and when it counts as up."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from faultline.catalog.demo import demo_entities
from faultline.catalog.writing import write_catalog
from faultline.config import REPOSITORY, Environ, Paths, Ports, StreamConfig
from faultline.shop import CALLS, has_proxy
from faultline.stack.broker import kafka_program
from faultline.stack.prerequisites import require_program
from faultline.stack.program import Command, Program
from faultline.stack.proxy import proxy_program
from faultline.stack.readiness import http_ok

SERVICES = ("payments", "inventory", "orders", "storefront")
MODEL_HINT = "no model yet: ./run train learns one from the traffic, ./run demo does it all"


def has_model(environ: Environ, part: str = "") -> bool:
    """True when there is a model to load, and it has a part."""
    return (StreamConfig.from_env(environ).model / part).exists()


def declare_programs(environ: Environ) -> dict[str, Program]:
    """Return all programs by name, in the order in which they are shown; starts and fetches nothing."""
    ports = Ports.from_env(environ)
    programs = [
        kafka_program(environ, ports),
        *_shop(environ, ports),
        _nginx(environ, ports),
        _feeder(ports),
        _node_exporter(environ, ports),
        _alertmanager(environ, ports),
        _prometheus(environ, ports),
        _traffic(ports),
        _stream(ports),
        _incidents(environ, ports),
    ]
    return {program.name: program for program in programs}


def _url(port: int) -> str:
    return f"http://127.0.0.1:{port}"


def _python(*args: str) -> Callable[[], Command]:
    return lambda: Command([sys.executable, *args])


def _tool(environ: Environ, tool: str, *args: str) -> Callable[[], Command]:
    return lambda: Command([require_program(tool, environ), *args])


def _shop(environ: Environ, ports: Ports) -> list[Program]:
    """Return the services; with FAULTLINE_SHOP_PROXY the proxy, too, which must be up before those that call."""
    if not has_proxy(environ):
        return [_service(name, getattr(ports, name)) for name in SERVICES]
    callers = {caller for caller, _ in CALLS}
    services = [_service(name, getattr(ports, name), ("proxy",) if name in callers else ()) for name in SERVICES]
    return [proxy_program(environ, ports), *services]


def _service(name: str, port: int, needs: tuple[str, ...] = ()) -> Program:
    return Program(
        name=name,
        address=_url(port),
        command=_python("-m", "demo.serve", name),
        probe=http_ok(port, "/health"),
        ports=(port,),
        needs=needs,
    )


def _nginx(environ: Environ, ports: Ports) -> Program:
    return Program(
        name="nginx",
        address=_url(ports.nginx),
        command=lambda: _nginx_command(environ),
        probe=http_ok(ports.nginx, "/"),
        ports=(ports.nginx,),
        # A probe before the shop is up would put a 502 into the logs that are watched.
        needs=SERVICES,
        tools=("nginx",),
        templates=(Path("nginx/nginx.conf"),),
        stop_signal="QUIT",
    )


def _nginx_command(environ: Environ) -> Command:
    run = Paths.from_env(environ).run
    argv = [require_program("nginx", environ), "-e", "stderr", "-c", str(run / "nginx.conf"), "-p", str(run)]
    return Command(argv, _STOP_ORPHANED_WORKERS)


# Workers outlive a master that was killed, and keep its port; their folder is ours, their name nginx.
_STOP_ORPHANED_WORKERS = """\
for process in /proc/[0-9]*; do
  if [ "$process/cwd" -ef . ] && read -r name < "$process/comm" && [ "$name" = nginx ]; then
    kill "${process#/proc/}"
  fi
done
"""


def _feeder(ports: Ports) -> Program:
    return Program(
        name="feeder",
        address=f"{_url(ports.feeder)}/metrics",
        command=_python("-m", "feeder"),
        probe=http_ok(ports.feeder, "/metrics"),
        ports=(ports.feeder,),
        needs=("kafka",),
    )


def _node_exporter(environ: Environ, ports: Ports) -> Program:
    collectors = ("cpu", "diskstats", "filesystem", "loadavg", "meminfo", "netdev", "uname")
    options = [f"--web.listen-address=127.0.0.1:{ports.node_exporter}", "--collector.disable-defaults"]
    options += [f"--collector.{name}" for name in collectors]
    return Program(
        name="node_exporter",
        address=f"{_url(ports.node_exporter)}/metrics",
        command=_tool(environ, "node_exporter", *options),
        probe=http_ok(ports.node_exporter, "/metrics"),
        ports=(ports.node_exporter,),
        tools=("node_exporter",),
    )


def _alertmanager(environ: Environ, ports: Ports) -> Program:
    paths = Paths.from_env(environ)
    return Program(
        name="alertmanager",
        address=_url(ports.alertmanager),
        command=_tool(
            environ,
            "alertmanager",
            f"--config.file={paths.run / 'alertmanager.yml'}",
            f"--storage.path={paths.home / 'alertmanager'}",
            f"--web.listen-address=127.0.0.1:{ports.alertmanager}",
            "--cluster.listen-address=",  # one node: no gossip, no second port
        ),
        probe=http_ok(ports.alertmanager, "/-/ready"),
        ports=(ports.alertmanager,),
        tools=("alertmanager",),
        templates=(Path("prometheus/alertmanager.yml"),),
    )


def _prometheus(environ: Environ, ports: Ports) -> Program:
    paths = Paths.from_env(environ)
    return Program(
        name="prometheus",
        address=_url(ports.prometheus),
        command=_tool(
            environ,
            "prometheus",
            f"--config.file={paths.run / 'prometheus.yml'}",
            f"--web.listen-address=127.0.0.1:{ports.prometheus}",
            f"--storage.tsdb.path={paths.home / 'prometheus'}",
            "--storage.tsdb.retention.time=7d",
            "--storage.tsdb.retention.size=1GB",
            # An alert sent before Alertmanager was up is sent again now, not after the default minute.
            "--rules.alert.resend-delay=5s",
        ),
        probe=http_ok(ports.prometheus, "/-/ready"),
        ports=(ports.prometheus,),
        tools=("prometheus",),
        templates=(Path("prometheus/prometheus.yml"),),
    )


def _traffic(ports: Ports) -> Program:
    options = ["--headless", "-u", "10", "-r", "10", "--host", _url(ports.nginx), "--only-summary"]
    return Program(
        name="traffic",
        address="",
        command=_python("-m", "locust", "-f", str(REPOSITORY / "demo" / "traffic.py"), *options),
        needs=("nginx",),
    )


def _stream(ports: Ports) -> Program:
    return Program(
        name="stream",
        address=f"{_url(ports.stream)}/metrics",
        command=_python("-m", "faultline", "spark", "semantic_inference.py"),
        probe=http_ok(ports.stream, "/metrics"),
        ports=(ports.stream,),
        needs=("kafka",),
        needs_part="",
        tools=("java",),
        stop_group=False,  # the JVM must outlive the driver's orderly end
        ready_seconds=240,  # the first start fetches the connector
        stop_seconds=40,
    )


def _incidents(environ: Environ, ports: Ports) -> Program:
    return Program(
        name="incidents",
        address=f"{_url(ports.incidents)}/v1/incidents",
        command=lambda: _incidents_command(environ),
        probe=http_ok(ports.incidents, "/health"),
        ports=(ports.incidents,),
        needs=("kafka", "alertmanager"),
        needs_part="root_cause",
    )


def _incidents_command(environ: Environ) -> Command:
    argv = [sys.executable, "-m", "incidents"]
    return Command(argv, environment={"FAULTLINE_CATALOG": with_catalog(environ)["FAULTLINE_CATALOG"]})


def with_catalog(environ: Environ) -> dict[str, str]:
    """Return the settings with a catalog: the shop's, as the shop is configured, unless the user names another."""
    if "FAULTLINE_CATALOG" in environ:
        return dict(environ)
    path = Paths.from_env(environ).run / "catalog-info.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_catalog(demo_entities(environ), path)
    return {**environ, "FAULTLINE_CATALOG": str(path)}
