"""The Kafka broker: its own controller (KRaft), one node, formatted at its first start."""

from __future__ import annotations

from pathlib import Path

from faultline.config import REPOSITORY, Environ, Paths, Ports
from faultline.errors import StackError
from faultline.stack.jars import kafka_classpath
from faultline.stack.prerequisites import require_program
from faultline.stack.program import Command, Program
from faultline.stack.readiness import broker_answers
from faultline.stack.rendering import kafka_folder


def kafka_program(environ: Environ, ports: Ports) -> Program:
    """Return the broker; once it is up it also has the topics of kafka/topics.yaml."""
    return Program(
        name="kafka",
        address=f"127.0.0.1:{ports.kafka}",
        command=lambda: _kafka_command(environ),
        probe=broker_answers(ports.kafka),
        ports=(ports.kafka, ports.kafka_controller),
        tools=("java",),
        templates=(Path("kafka/server.properties"),),
        after_ready=lambda: _create_declared_topics(f"127.0.0.1:{ports.kafka}"),
        ready_seconds=120,
        stop_seconds=30,
    )


def _kafka_command(environ: Environ) -> Command:
    java, paths = require_program("java", environ), Paths.from_env(environ)
    properties = str(paths.run / "server.properties")
    logging = f"-Dlog4j2.configurationFile={(REPOSITORY / 'kafka' / 'log4j2.properties').as_uri()}"
    options = ["-Xms256m", "-Xmx512m", "-XX:+UseG1GC", "-XX:+ExitOnOutOfMemoryError", logging]
    environment = {
        "CLASSPATH": kafka_classpath(environ),
        "KAFKA_JAVA": java,
        "KAFKA_PROPERTIES": properties,
        "KAFKA_DATA": str(kafka_folder(paths)),
    }
    return Command([java, *options, "kafka.Kafka", properties], _FORMAT, environment)


# `formatted` is written last: without it the folder holds at most half a format and no record.
_FORMAT = """\
if [ ! -f "$KAFKA_DATA/formatted" ]; then
  cluster_id=$(head -c 16 /dev/urandom | base64 | tr '+/' 'AB' | tr -d '=')
  rm -rf "$KAFKA_DATA" && mkdir -p "$KAFKA_DATA" || exit 1
  "$KAFKA_JAVA" kafka.tools.StorageTool format -t "$cluster_id" -c "$KAFKA_PROPERTIES" || exit 1
  : > "$KAFKA_DATA/formatted"
fi
"""


def _create_declared_topics(bootstrap: str) -> None:
    from confluent_kafka import KafkaException

    from faultline.kafka_io import create_topics, declared_topics

    try:
        create_topics(bootstrap, declared_topics(REPOSITORY / "kafka" / "topics.yaml"))
    except KafkaException as error:
        problem = f"broker {bootstrap} did not create the topics of kafka/topics.yaml: {error.args[0].str()}"
        raise StackError(problem) from error
