import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from archive.dicomweb.server import HttpServer
from archive.errors import ConfigurationInvalid


@contextmanager
def serving() -> Iterator[tuple["subprocess.Popen[str]", str]]:
    program = [sys.executable, "-m", "tests.dicomweb.serving_process"]
    with subprocess.Popen(
        program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            yield process, f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()


def test_the_port_is_told_when_requests_are_taken() -> None:
    with serving() as (_, url):
        assert httpx.get(f"{url}/fast").text == "fast"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server_and_the_process_goes_on_to_its_own_end(
    number: signal.Signals,
) -> None:
    with serving() as (process, url):
        httpx.get(f"{url}/fast")
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out.split()) == (0, ["returned"])
    assert "Traceback" not in err


def test_an_answer_without_end_does_not_keep_a_stopping_server() -> None:
    with serving() as (process, url), httpx.stream("GET", f"{url}/endless") as answer:
        next(answer.iter_raw())
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=20)
    assert (process.returncode, out.split()) == (0, ["returned"])


def test_queries_are_in_no_line_of_the_process() -> None:
    with serving() as (process, url):
        httpx.get(f"{url}/fast", params={"PatientID": "MRN-77"})
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=20)
    assert "/fast" in out + err
    assert "MRN-77" not in out + err


def test_a_port_that_is_taken_is_refused_at_once() -> None:
    async def app(_scope: object, _receive: object, _send: object) -> None: ...

    first = HttpServer(app, host="127.0.0.1", port=0)
    with pytest.raises(ConfigurationInvalid) as refused:
        HttpServer(app, host="127.0.0.1", port=first.port)
    assert refused.value.facts["port"] == first.port
    assert "in use" in str(refused.value.facts["cause"])
