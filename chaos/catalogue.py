"""The experiments: read from YAML, refused with file and line before anything is touched."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from chaos.errors import ExperimentError
from faultline.config import REPOSITORY

FOLDER: Final = REPOSITORY / "chaos" / "experiments"
EXTENSION: Final = "faultline"


@dataclass(frozen=True)
class Experiment:
    """One Chaos Toolkit experiment, and what the comparison needs to know of it."""

    name: str  # of the file, without its ending
    path: Path
    title: str
    description: str
    kind: str
    target: str
    benign: bool


def load_all(folder: Path = FOLDER) -> dict[str, Experiment]:
    """Return every experiment of a folder by name; raises ExperimentError when one is unusable or there is none."""
    found = {path.stem: load(path) for path in sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")])}
    if not found:
        raise ExperimentError(f"{folder}: no experiment in it, expected *.yaml; see chaos/experiments for examples")
    return found


def load(path: Path) -> Experiment:
    """Return one experiment whose every action, probe and argument exists; raises ExperimentError with the line."""
    try:
        node = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ExperimentError(f"{path.name}: not a readable YAML file: {error}") from error
    if not isinstance(node, yaml.MappingNode) or not isinstance(content, dict):
        raise ExperimentError(f"{path.name}:1: expected a Chaos Toolkit experiment: title, description, method")
    for activity in _activities(path, node):
        _check_activity(path, activity)
    _check_by_toolkit(path, content)
    return _experiment(path, content, node)


def _experiment(path: Path, content: dict[str, Any], node: yaml.MappingNode) -> Experiment:
    own: dict[str, Any] = next((entry for entry in content.get("extensions", []) if entry.get("name") == EXTENSION), {})
    benign = own.get("benign", False)
    if not isinstance(benign, bool):
        line = (_child(node, "extensions") or node).start_mark.line + 1
        raise ExperimentError(f"{path.name}:{line}: benign is {benign!r}, expected true or false")
    return Experiment(
        name=path.stem,
        path=path,
        title=str(content["title"]),
        description=str(content["description"]),
        kind=str(own.get("kind", path.stem)),
        target=str(own.get("target", "")),
        benign=benign,
    )


def _activities(path: Path, root: yaml.MappingNode) -> Iterator[yaml.MappingNode]:
    hypothesis = _child(root, "steady-state-hypothesis")
    probes = _child(hypothesis, "probes") if isinstance(hypothesis, yaml.MappingNode) else None
    for part in (probes, _child(root, "method"), _child(root, "rollbacks")):
        if part is None:
            continue
        if not isinstance(part, yaml.SequenceNode):
            raise ExperimentError(f"{path.name}:{part.start_mark.line + 1}: expected a list of actions and probes")
        yield from (item for item in part.value if isinstance(item, yaml.MappingNode))


def _check_activity(path: Path, activity: yaml.MappingNode) -> None:
    """Refuse a Python action that does not exist, at its line; the toolkit itself names no line."""
    provider = _child(activity, "provider")
    if not isinstance(provider, yaml.MappingNode) or _text(provider, "type") != "python":
        return
    name = _text(activity, "name") or "unnamed"
    for key, check in (("module", _import), ("func", _function)):
        problem = check(provider)
        if problem:
            line = (_child(provider, key) or provider).start_mark.line + 1
            kind = _text(activity, "type") or "activity"
            raise ExperimentError(f"{path.name}:{line}: {kind} '{name}': {problem}")
    _check_arguments(path, name, provider)


def _import(provider: yaml.MappingNode) -> str:
    module = _text(provider, "module")
    try:
        importlib.import_module(module)
    except (ImportError, ValueError) as error:
        return f"module {module!r} cannot be imported ({error}); ours are chaos.probes and those of chaos.actions"
    return ""


def _function(provider: yaml.MappingNode) -> str:
    module, name = importlib.import_module(_text(provider, "module")), _text(provider, "func")
    if inspect.isfunction(getattr(module, name, None)):
        return ""
    known = sorted(key for key, value in vars(module).items() if _is_own_function(module.__name__, key, value))
    return f"unknown action {name!r} in {module.__name__}, expected one of {', '.join(known)}"


def _is_own_function(module: str, name: str, value: object) -> bool:
    return inspect.isfunction(value) and value.__module__ == module and not name.startswith("_")


def _check_arguments(path: Path, name: str, provider: yaml.MappingNode) -> None:
    function = getattr(importlib.import_module(_text(provider, "module")), _text(provider, "func"))
    given = _child(provider, "arguments")
    keys = [key.value for key, _ in given.value] if isinstance(given, yaml.MappingNode) else []
    try:
        inspect.signature(function).bind(**dict.fromkeys(keys))
    except TypeError as error:
        line = (given or provider).start_mark.line + 1
        text = f"{path.name}:{line}: '{name}': {error}; {function.__name__}{inspect.signature(function)} was declared"
        raise ExperimentError(text) from error


def _check_by_toolkit(path: Path, content: dict[str, Any]) -> None:
    from chaoslib.exceptions import ChaosException
    from chaoslib.experiment import ensure_experiment_is_valid

    try:
        ensure_experiment_is_valid(content)
    except ChaosException as error:
        raise ExperimentError(f"{path.name}: {error}") from error


def _child(node: yaml.Node | None, key: str) -> yaml.Node | None:
    pairs: Sequence[tuple[yaml.Node, yaml.Node]] = node.value if isinstance(node, yaml.MappingNode) else []
    return next((value for name, value in pairs if name.value == key), None)


def _text(node: yaml.MappingNode, key: str) -> str:
    child = _child(node, key)
    return child.value if isinstance(child, yaml.ScalarNode) else ""
