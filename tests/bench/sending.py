"""Sending a workload to a receiver: by our own fast associations, or by dcmtk's storescu."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from tests.bench.corpus import Corpus, Image
from tests.bench.message import LARGEST_PDU_BYTES, Identity
from tests.bench.sender import Sent, Task, Template
from tests.peers.processes import Endpoint

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 900


@dataclass(frozen=True, slots=True)
class Workload:
    """What is sent in one run."""

    kind: str
    count: int
    associations: int = 1
    storescu_nodelay: bool | None = None
    """Send by dcmtk's storescu with Nagle's algorithm off (True) or on; None: our own sender."""
    largest_pdu: int = LARGEST_PDU_BYTES

    def warm_up(self) -> "Workload":
        """Return what is sent before: a few small images on each association."""
        return Workload("small", 4 * self.associations, self.associations)


@dataclass(frozen=True, slots=True)
class Sending:
    """What was sent, and between which moments of CLOCK_MONOTONIC."""

    began: float
    ended: float
    last: Identity
    """Of the instance that was sent last, on the last association."""


def sent(workload: Workload, corpus: Corpus, to: Endpoint, *, run: int) -> Sending:
    """Send a workload; every instance must be answered with Success."""
    if workload.storescu_nodelay is None:
        return _sent_by_us(workload, corpus, to, run)
    return _sent_by_storescu(workload, corpus, to, nodelay=workload.storescu_nodelay)


def _sent_by_us(workload: Workload, corpus: Corpus, to: Endpoint, run: int) -> Sending:
    of_all = list(tasks(workload, corpus, to, run))
    with ExitStack() as stack:
        processes = [stack.enter_context(_sender(task)) for task in of_all]
        for process in processes:
            _line(process)
        for process in processes:
            _tell(process, "")
        ended = [Sent(**json.loads(_line(process))) for process in processes]
    return Sending(
        began=min(one.began for one in ended),
        ended=max(one.ended for one in ended),
        last=of_all[-1].identity(of_all[-1].count - 1),
    )


def tasks(workload: Workload, corpus: Corpus, to: Endpoint, run: int) -> Iterator[Task]:
    """Return what each association is to send: an equal share of the templates, of one each."""
    images = corpus.images[workload.kind][: workload.count]
    each = len(images) // workload.associations
    for stream in range(workload.associations):
        share = images[stream * each : (stream + 1) * each]
        yield Task(
            host=to.host,
            port=to.port,
            called=to.ae_title,
            calling=f"BENCH{stream}",
            run=run,
            stream=stream,
            count=workload.count // workload.associations,
            templates=[_template(image, corpus.directory) for image in share],
            largest_pdu=workload.largest_pdu,
        )


def _template(image: Image, directory: Path) -> Template:
    return Template(
        path=str(directory / image.file),
        sop_class=image.sop_class,
        syntax=image.syntax,
        series=image.series,
        data_set_at=image.data_set_at,
        identity=asdict(image.identity),
    )


@contextmanager
def _sender(task: Task) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        (sys.executable, "-m", "tests.bench.sender"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    try:
        _tell(process, task.to_json())
        yield process
        assert process.wait(SECONDS) == 0
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            _open(stream).close()


def _tell(process: "subprocess.Popen[str]", line: str) -> None:
    stream = _open(process.stdin)
    stream.write(line + "\n")
    stream.flush()


def _line(process: "subprocess.Popen[str]") -> str:
    line = _open(process.stdout).readline()
    assert line, "a sender has failed; what it said stands above"
    return line


def _open(stream: IO[str] | None) -> IO[str]:
    assert stream is not None
    return stream


def _sent_by_storescu(
    workload: Workload, corpus: Corpus, to: Endpoint, *, nodelay: bool
) -> Sending:
    files = corpus.files(workload.kind, workload.count)
    began = time.monotonic()
    ended = subprocess.run(
        ["storescu", "-R", "-aet", "STORESCU", "-aec", to.ae_title, to.host, str(to.port), *files],
        env=storescu_environment(os.environ, nodelay=nodelay),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    last = corpus.images[workload.kind][workload.count - 1].identity
    return Sending(began, time.monotonic(), last)


def storescu_environment(given: Mapping[str, str], *, nodelay: bool) -> dict[str, str]:
    """Return the environment of a storescu with Nagle's algorithm off, or on as by default."""
    kept = {name: value for name, value in given.items() if name != "TCP_NODELAY"}
    return {**kept, "LC_ALL": "C.UTF-8", **({"TCP_NODELAY": "1"} if nodelay else {})}
