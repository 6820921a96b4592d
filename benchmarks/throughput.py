"""Events per second from Kafka to sink, against the ceiling: the same records read, parsed and dropped."""

from __future__ import annotations

from pathlib import Path
from statistics import median
from time import perf_counter

from benchmarks.events import make_records, produce
from benchmarks.workbench import Result, Workbench, counts_of, standard_templates
from spark.models.embedder import Embedder

RECORDS = 700_000
BATCH = 100_000
PAIRS = 3


def measure(bench: Workbench) -> Result:
    """Run the passes in turn, PAIRS times; ratios are taken within each turn."""
    templates = standard_templates()
    with bench.progress.step("training on the benchmark's templates"):
        model = bench.train(templates)
    environ = bench.topic("throughput")
    with bench.progress.step(f"writing {RECORDS} records"):
        produce(bench.bootstrap, environ["FAULTLINE_TOPIC_LOGS"], list(make_records(RECORDS, templates)))
    environ["FAULTLINE_MAX_OFFSETS_PER_TRIGGER"] = str(BATCH)
    rates: dict[str, list[float]] = {"ceiling": [], "semantic": [], "combined": []}
    for pair in range(PAIRS):
        for mode, found in rates.items():
            with bench.progress.step(f"{mode}, run {pair + 1} of {PAIRS}"):
                total = counts_of(bench.run_query(mode, environ, f"{mode}-{pair}"))
            found.append(total["rows"] / total["milliseconds"] * 1000)
    ratios = [ours / top for ours, top in zip(rates["semantic"], rates["ceiling"], strict=True)]
    both = [ours / top for ours, top in zip(rates["combined"], rates["ceiling"], strict=True)]
    by_row = _one_row_at_a_time(model, templates)
    return {
        "events_per_second": round(median(rates["semantic"])),
        "ceiling_events_per_second": round(median(rates["ceiling"])),
        "ratio_to_ceiling": round(median(ratios), 3),
        "ratio_to_ceiling_runs": [round(ratio, 3) for ratio in ratios],
        "combined_events_per_second": round(median(rates["combined"])),
        "combined_ratio_to_ceiling": round(median(both), 3),
        "one_row_at_a_time_events_per_second": round(by_row),
        "ratio_to_one_row_at_a_time": round(median(rates["semantic"]) / by_row),
        "records": RECORDS,
        "templates": len(templates),
        "targets": {
            "events_per_second": ">= 20000",
            "combined_events_per_second": ">= 15000",
            "ratio_to_ceiling": ">= 0.3",
        },
    }


def _one_row_at_a_time(model: Path, templates: list[str]) -> float:
    """Return texts per second when every line is embedded on its own: what templates save."""
    embedder = Embedder(next((model.parent / "encoder").iterdir()))
    embedder.embed(["warm"])
    begin = perf_counter()
    for template in templates[:200]:
        embedder.embed([template])
    return 200 / (perf_counter() - begin)
