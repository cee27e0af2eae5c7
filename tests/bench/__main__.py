"""`python -m tests.bench`: run experiments, and write table, runs and pictures.

`make bench` runs it; `make bench ARGS="--quick"` takes four minutes and writes beside the cache.
"""

import argparse
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from tests.bench.corpus import Corpus, corpus
from tests.bench.experiments import FULL, QUICK, Arm, Experiment, Scale, experiments
from tests.bench.machine import ROOT, commit, machine
from tests.bench.page import block, table, write_page
from tests.bench.plot import rates_picture, targets_picture
from tests.bench.record import Record, Taken, read_record, write_record
from tests.bench.rows import name_of
from tests.bench.run import Measured, measure

CACHE = Path(os.environ.get("BENCH_DIR", "/var/tmp/imagestore-bench"))


def main() -> None:
    """Run what the arguments say."""
    options = _options()
    scale, pages = (QUICK, CACHE / "quick") if options.quick else (FULL, ROOT / "docs")
    chosen = _chosen(experiments(_scaled(scale, options)), options.rows)
    pages.mkdir(parents=True, exist_ok=True)
    if not options.only_write:
        _print_plan(chosen, scale.pace)
        if options.plan:
            return
        _run_all(chosen, scale, pages)
    _write(pages)
    print(table(read_record(_results(pages))))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few runs of a small corpus")
    parser.add_argument("--rows", default="", help="only these, e.g. ct1,ct4; others are kept")
    parser.add_argument("--pairs", type=int, help="rounds of each experiment but long")
    parser.add_argument("--long-pairs", type=int, help="rounds of long")
    parser.add_argument("--plan", action="store_true", help="say what would be run, and end")
    parser.add_argument("--only-write", action="store_true", help="write the page of earlier runs")
    return parser.parse_args()


def _scaled(scale: Scale, options: argparse.Namespace) -> Scale:
    return replace(
        scale,
        pairs=options.pairs or scale.pairs,
        fewer_pairs=options.pairs or scale.fewer_pairs,
        long_pairs=options.long_pairs or scale.long_pairs,
    )


def _chosen(every: Mapping[str, Experiment], rows: str) -> Sequence[Experiment]:
    if not rows:
        return list(every.values())
    unknown = set(rows.split(",")) - set(every)
    if unknown:
        sys.exit(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(every)}")
    return [every[key] for key in rows.split(",")]


def _print_plan(chosen: Sequence[Experiment], pace: float) -> None:
    for one in chosen:
        arms = ", ".join(dict.fromkeys(name_of(arm.name) for arm in one.arms))
        print(
            f"{one.key:12} {one.rounds} rounds, about {pace * one.seconds() / 60:4.1f} min: {arms}"
        )
    print(
        f"{'':12} about {pace * sum(one.seconds() for one in chosen) / 60:.0f} min in all",
        flush=True,
    )


def _run_all(chosen: Sequence[Experiment], scale: Scale, pages: Path) -> None:
    name = "corpus-quick" if scale is QUICK else "corpus"
    images = corpus(CACHE / name, scale.sizes)
    facts = machine(CACHE)
    for experiment in chosen:
        record = read_record(_results(pages))
        record[experiment.key] = _taken(experiment, images, facts)
        write_record(_results(pages), record)


def _taken(experiment: Experiment, images: Corpus, facts: Mapping[str, str]) -> Taken:
    began = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    rounds: list[dict[str, Measured]] = [{} for _ in range(experiment.rounds)]
    for number, arm in experiment.turns():
        measured = measure(arm.side, arm.workload, images, CACHE / "run", arm.wanted)
        rounds[number][arm.name] = measured
        _print_run(experiment, number, arm, measured)
    return Taken(began=began, commit=commit(), machine=facts, rounds=rounds)


def _print_run(experiment: Experiment, number: int, arm: Arm, measured: Measured) -> None:
    cpu = ", ".join(f"{role} {one.cpu_seconds:.2f}" for role, one in measured.consumed.items())
    print(
        f"{experiment.key:12} {number + 1}/{experiment.rounds} {name_of(arm.name):24} "
        f"{measured.rate:8.1f}/s {measured.octets / measured.seconds / 1e6:7.1f} MB/s; "
        f"CPU s: {cpu}; busy before: {measured.busy:.0%}",
        flush=True,
    )


def _results(pages: Path) -> Path:
    return pages / "performance" / "results.json"


def _write(pages: Path) -> None:
    """Write the page and its pictures from what was measured."""
    record: Record = read_record(_results(pages))
    pictures = {"targets.svg": targets_picture(record), "rates.svg": rates_picture(record)}
    for name, svg in pictures.items():
        (pages / "performance" / name).write_text(svg, encoding="utf-8")
    write_page(pages / "performance.md", block(record, _shown(pictures)))


def _shown(pictures: Mapping[str, str]) -> Iterator[str]:
    words = {
        "targets.svg": "every pair against its target",
        "rates.svg": "instances a second of every run",
    }
    return (f"![{words[name]}](performance/{name})" for name in pictures)


if __name__ == "__main__":
    main()
