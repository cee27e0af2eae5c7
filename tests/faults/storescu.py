"""dcmtk's storescu at work: it runs beside the test, and tells what was acknowledged to it."""

import re
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from archive.store.part10 import file_meta
from deploy.demo.modality import WireObject
from tests.peers.dcmtk import ENVIRONMENT
from tests.peers.processes import Endpoint

SECONDS = 60.0
LOOK_SECONDS = 0.0005

_SENDING = re.compile(r"^I: Sending file: (.+)$")
_ANSWER = re.compile(r"^I: Received Store Response \((.+)\)$")


@dataclass(frozen=True, slots=True)
class OnFile:
    """An object, and the file that storescu sends it from."""

    wire_object: WireObject
    path: Path


def on_file(one: WireObject, directory: Path) -> OnFile:
    """Write an object where storescu finds it."""
    meta = file_meta(
        sop_class_uid=one.sop_class_uid,
        sop_instance_uid=one.sop_instance_uid,
        transfer_syntax=one.transfer_syntax,
        calling_ae="STORESCU",
        called_ae="RXA",
    )
    path = directory / f"{one.sop_instance_uid}.dcm"
    with one.opened() as stream:
        path.write_bytes(meta + stream.read())
    return OnFile(one, path)


class Sending:
    """One storescu that sends files on one association, in their order, until it ends or breaks."""

    def __init__(
        self, peer: Endpoint, files: Sequence[OnFile], log: Path, options: Sequence[str] = ()
    ) -> None:
        self.files = files
        self._log = log
        titles = ("-aet", "STORESCU", "-aec", peer.ae_title)
        paths = [str(one.path) for one in files]
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                ["storescu", "-v", *titles, *options, peer.host, str(peer.port), *paths],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=ENVIRONMENT,
            )

    def ended(self) -> int:
        """Wait until it has ended, and return its exit status."""
        return self._process.wait(SECONDS)

    def said(self) -> str:
        return self._log.read_text(errors="replace")

    def await_answers(self, count: int) -> None:
        """Return as soon as it has told of so many answers."""
        deadline = time.monotonic() + SECONDS
        while self.said().count("Received Store Response") < count:
            assert self._process.poll() is None, self.said()
            assert time.monotonic() < deadline, self.said()
            time.sleep(LOOK_SECONDS)

    def answers(self) -> dict[str, str]:
        """Return what each file was answered, by its path; without those that got no answer."""
        under_way, answers = "", {}
        for line in self.said().splitlines():
            if sending := _SENDING.match(line):
                under_way = sending[1]
            elif answer := _ANSWER.match(line):
                answers[under_way] = answer[1]
        return answers

    def acknowledged(self) -> list[WireObject]:
        """Return what was answered with Success; fail where any other answer came."""
        answers = self.answers()
        assert set(answers.values()) <= {"Success"}, answers
        return [one.wire_object for one in self.files if str(one.path) in answers]
