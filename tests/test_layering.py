"""Who may import whom, read from the sources; and what may be imported nowhere."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from faultline.config import REPOSITORY

# A module may import modules whose name begins with one of its layer's prefixes. The longest matching layer counts.
LAYERS: dict[str, tuple[str, ...]] = {
    "faultline": ("faultline",),
    "faultline.cli": ("faultline", "demo.story"),  # the verb `demo`
    "faultline.evaluation_verb": ("faultline", "evaluation"),
    "faultline.chaos_verb": ("faultline", "chaos"),
    "spark": (),
    "spark.models": ("faultline", "spark.models"),
    "spark.worker": (),
    "spark.streams": ("faultline", "spark.models", "spark.worker"),
    "spark.progress": ("faultline", "spark.models", "spark.streams"),
    "spark.champion": ("faultline", "spark.models"),
    "spark.lifetime": ("faultline", "spark.models", "spark.streams"),
    "spark.jobs": (
        *("faultline", "spark.models", "spark.streams", "spark.progress", "spark.lifetime", "spark.champion"),
        *("spark.labelling", "spark.requests", "spark.recording", "evaluation"),
    ),
    "spark.generate_cmdb": ("faultline",),
    "spark.requests": ("faultline", "spark.models"),
    "spark.recording": ("faultline", "spark.models", "spark.streams", "spark.requests"),
    "spark.labelling": ("faultline", "spark.models", "spark.streams", "evaluation"),
    "feeder": ("faultline", "feeder"),
    "evaluation": ("faultline", "spark.models", "feeder", "evaluation"),
    "incidents": ("faultline", "spark.models", "incidents"),
    "chaos": ("faultline", "chaos"),
    "demo": ("faultline", "demo"),
    "finetuning": (),  # runs in an environment of its own, with torch
}
# What a layer may not use although its prefix would allow it.
FORBIDDEN: dict[str, tuple[str, ...]] = {
    "faultline": ("pyspark", "torch", "onnxruntime"),
    "spark": ("faultline.stack", "faultline.cli", "torch", "transformers", "sentence_transformers"),
    "spark.models": ("pyspark", "py4j"),
    "feeder": ("faultline.stack", "faultline.cli", "pyspark", "torch"),
    "evaluation": ("faultline.cli", "pyspark", "torch"),
    "incidents": ("faultline.stack", "faultline.cli", "pyspark", "torch"),
    "chaos": ("faultline.cli", "pyspark", "torch"),
    "demo": ("faultline.stack", "faultline.cli", "pyspark", "torch"),
    "demo.story": ("faultline.cli", "pyspark", "torch"),
}
UNSAFE_MODULES = ("pickle", "cloudpickle", "joblib", "dill", "shelve", "marshal")
UNSAFE_CALLS = ("eval", "exec", "compile", "__import__")
OURS = ("faultline", "spark", "feeder", "demo", "evaluation", "chaos", "incidents", "finetuning")
TOP_LEVEL = (*OURS, "benchmarks")
JOB_LINES = 40


@dataclass(frozen=True)
class Import:
    """One imported name, as `package.module.name`, and where it stands."""

    target: str
    line: int


def module_name(path: Path, root: Path) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(tree: ast.AST, module: str, is_package: bool) -> Iterator[Import]:
    """Yield every import, also those within functions; relative ones made absolute."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (Import(name.name, node.lineno) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = module.split(".") if is_package else module.split(".")[:-1]
            base = package[: len(package) - node.level + 1] if node.level else []
            source = ".".join([*base, *([node.module] if node.module else [])])
            yield from (Import(f"{source}.{name.name}", node.lineno) for name in node.names)


def is_below(module: str, prefix: str) -> bool:
    return module == prefix or module.startswith(f"{prefix}.")


def layer_of(module: str, layers: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Return what the most specific layer of a module says."""
    names = [name for name in layers if is_below(module, name)]
    return layers[max(names, key=len)] if names else ()


def rules_of(module: str) -> tuple[str, ...]:
    """Return all that is forbidden to a module: by its most specific layer, and for `spark` by every one."""
    if is_below(module, "spark"):
        return tuple(name for layer, names in FORBIDDEN.items() if is_below(module, layer) for name in names)
    return layer_of(module, FORBIDDEN)


def faults_in(source: str, module: str, *, is_package: bool = False) -> list[str]:
    """Return what is wrong with the imports and calls of one module."""
    tree = ast.parse(source)
    faults = []
    for found in imports_of(tree, module, is_package):
        ours = found.target.split(".")[0] in TOP_LEVEL
        allowed = any(is_below(found.target, prefix) for prefix in layer_of(module, LAYERS))
        if ours and not allowed:
            faults.append(f"{module}:{found.line}: imports {found.target}, which is not below it")
        if any(is_below(found.target, name) for name in (*rules_of(module), *UNSAFE_MODULES)):
            faults.append(f"{module}:{found.line}: imports {found.target}, which is forbidden here")
    return faults + [f"{module}:{line}: calls {name}" for name, line in calls_of(tree) if name in UNSAFE_CALLS]


def calls_of(tree: ast.AST) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield node.func.id, node.lineno


def sources(*packages: str) -> list[Path]:
    return sorted(path for package in packages for path in (REPOSITORY / package).rglob("*.py"))


@pytest.mark.parametrize("package", OURS)
def test_imports_follow_the_arrows(package: str) -> None:
    found = sources(package)
    faults = [
        fault
        for path in found
        for fault in faults_in(path.read_text(), module_name(path, REPOSITORY), is_package=path.name == "__init__.py")
    ]
    assert (faults, bool(found)) == ([], True)


JOBS = sources("spark/jobs")


@pytest.mark.parametrize("path", JOBS, ids=[path.name for path in JOBS])
def test_jobs_are_thin_and_carry_no_name_of_a_module_they_need(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= JOB_LINES
    assert path.stem not in sys.stdlib_module_names | {"kafka", "pyspark", "faultline"}
    main = next(node for node in ast.parse(path.read_text()).body if getattr(node, "name", "") == "main")
    assert isinstance(main, ast.FunctionDef)
    assert [argument.arg for argument in main.args.args] == ["environ"]


def test_the_jobs_are_those_that_users_know() -> None:
    assert {path.stem for path in JOBS} >= {"semantic_preprocessing", "semantic_train", "semantic_inference"}


@pytest.mark.parametrize("folder", ["kafka", "prometheus", "tests"])
def test_no_package_hides_an_installed_one(folder: str) -> None:
    assert sorted((REPOSITORY / folder).rglob("__init__.py")) == []


@pytest.mark.parametrize("folder", ["kafka", "prometheus"])
def test_folders_of_configuration_hold_no_python(folder: str) -> None:
    assert sources(folder) == []


def test_nothing_in_the_repository_unpickles_or_needs_torch() -> None:
    for path in sources(*TOP_LEVEL):
        module = module_name(path, REPOSITORY)
        targets = [found.target for found in imports_of(ast.parse(path.read_text()), module, is_package=False)]
        banned = UNSAFE_MODULES if is_below(module, "finetuning") else (*UNSAFE_MODULES, "torch")
        unsafe = [target for target in targets for name in banned if is_below(target, name)]
        assert unsafe == [], module


PLANTED = {
    "the library needs Spark": ("faultline.records", "import pyspark.sql"),
    "the library needs a model": ("faultline.records", "from spark.models import artifact"),
    "the library needs the demo": ("faultline.metrics", "from demo import story"),
    "a model needs Spark": ("spark.models.semantic", "from pyspark.sql import functions as F"),
    "a model needs the stream": ("spark.models.semantic", "from spark import streams"),
    "a model needs the stack": ("spark.models.semantic", "from faultline.stack import jars"),
    "a model needs torch": ("spark.models.minilm", "def f():\n    import torch.nn"),
    "a relative way up": ("spark.models.semantic", "from .. import streams"),
    "steps need metrics": ("spark.streams", "from spark.progress import MetricsListener"),
    "steps need a job": ("spark.streams", "import spark.jobs.semantic_train"),
    "jobs import each other": ("spark.jobs.semantic_train", "from spark.jobs import semantic_inference"),
    "the feeder needs the stream": ("feeder.tail", "from spark.models.masking import mask_texts"),
    "the feeder needs the demo": ("feeder.tail", "import demo.config"),
    "a service needs the stack": ("demo.orders", "from faultline.stack.lifecycle import Stack"),
    "the demo needs a model": ("demo.story", "from spark.models import semantic"),
    "the evaluation needs Spark": ("evaluation.run", "import pyspark"),
    "a model needs the evaluation": ("spark.models.semantic", "from evaluation import metrics"),
    "a stored pickle": ("spark.models.artifact", "import pickle"),
    "a stored joblib": ("spark.models.artifact", "from joblib import load"),
    "eval": ("feeder.sources", "x = eval('1')"),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_fault_is_found(name: str) -> None:
    module, source = PLANTED[name]
    assert len(faults_in(source, module)) >= 1


GOOD = {
    "a job": ("spark.jobs.semantic_train", "from spark import streams\nfrom spark.models import semantic"),
    "a relative import": ("spark.models.semantic", "from . import artifact\nfrom .artifact import publish"),
    "the story": ("demo.story", "from faultline.stack.lifecycle import Stack\nfrom demo import report"),
    "the verb": ("faultline.cli", "from demo import story"),
    "a method called eval": ("spark.models.semantic", "x.eval('1')"),
    "others": ("faultline.records", "import msgspec\nfrom demography import x\nimport sparkling"),
}


@pytest.mark.parametrize("name", GOOD)
def test_what_is_allowed_is_no_fault(name: str) -> None:
    module, source = GOOD[name]
    assert faults_in(source, module) == []
