"""A caller of DICOMweb, pages and metrics: one connection, one bearer token."""

import http.client
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode, urlsplit

TIMEOUT_SECONDS = 30.0
CHUNK = 1 << 18
DICOM_JSON = "application/dicom+json"
PART10_OF_ANY_SYNTAX = 'multipart/related; type="application/dicom"; transfer-syntax=*'
STORED = "application/dicom; transfer-syntax=*"


class WebError(Exception):
    """No answer, or another one than was asked for."""

    def __init__(self, sentence: str, *, status: int = 0) -> None:
        super().__init__(sentence)
        self.status = status


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer, read to its end."""

    status: int
    headers: Mapping[str, str]
    """By lower-case name."""

    body: bytes

    @property
    def json(self) -> Any:  # noqa: ANN401 - JSON is of any type
        """The body as JSON; None where there is none."""
        return json.loads(self.body or b"null")


class Web:
    """Calls one tier as one user."""

    def __init__(self, base: str, token: str = "") -> None:
        self._address = urlsplit(base).netloc
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._connection: http.client.HTTPConnection | None = None

    def get(
        self,
        path: str,
        parameters: Mapping[str, str] | None = None,
        *,
        accept: str = "*/*",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """GET and read the whole answer, whatever its status.

        Raises:
            WebError: nobody answered.
        """
        response = self._request(path, parameters, {"Accept": accept, **(headers or {})})
        told = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, told, response.read())

    def found(self, path: str, parameters: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
        """QIDO-RS: return the matches as DICOM JSON (PS3.18 Section 10.6).

        Raises:
            WebError: another status than 200 or 204.
        """
        answer = self.get(f"/dicom-web{path}", parameters, accept=DICOM_JSON)
        if answer.status == HTTPStatus.NO_CONTENT:
            return []
        if answer.status != HTTPStatus.OK:
            raise WebError(f"QIDO-RS answered {answer.status}.", status=answer.status)
        matches: list[dict[str, Any]] = answer.json
        return matches

    def instances(self, path: str) -> Iterator[bytes]:
        """WADO-RS: give the Part 10 octets of each part, one in memory at a time.

        Raises:
            WebError: another status than 200, or a body that is not multipart.
        """
        response = self._request(f"/dicom-web{path}", None, {"Accept": PART10_OF_ANY_SYNTAX})
        if response.status != HTTPStatus.OK:
            response.read()
            raise WebError(f"WADO-RS answered {response.status}.", status=response.status)
        kind = response.getheader("Content-Type", "")
        boundary = re.search(r'boundary="?([^";]+)"?', kind)
        if boundary is None:
            raise WebError(f"WADO-RS answered {kind}.", status=response.status)
        yield from _parts(response, boundary[1].encode("ascii"))

    def metrics(self) -> dict[str, int]:
        """Return the gauges of a tier by name with labels, as Prometheus reads them.

        Raises:
            WebError: another status than 200.
        """
        answer = self.get("/metrics")
        if answer.status != HTTPStatus.OK:
            raise WebError(f"/metrics answered {answer.status}.", status=answer.status)
        lines = answer.body.decode("utf-8").splitlines()
        pairs = (line.rsplit(" ", 1) for line in lines if line and not line.startswith("#"))
        return {name.removeprefix("imagestore_"): int(float(number)) for name, number in pairs}

    def close(self) -> None:
        """End the connection."""
        if self._connection is not None:
            self._connection.close()

    def _request(
        self, path: str, parameters: Mapping[str, str] | None, headers: Mapping[str, str]
    ) -> http.client.HTTPResponse:
        target = f"{path}?{urlencode(parameters)}" if parameters else path
        for attempt in (1, 2):
            connection = self._connected()
            try:
                connection.request("GET", target, headers={**self._headers, **headers})
                return connection.getresponse()
            except (OSError, http.client.HTTPException) as problem:
                # An idle connection may have been closed by the other side meanwhile.
                self.close()
                self._connection = None
                if attempt == 2:  # noqa: PLR2004 - the second and last
                    raise WebError(f"No answer from {self._address}: {problem}.") from problem
        raise AssertionError

    def _connected(self) -> http.client.HTTPConnection:
        if self._connection is None:
            self._connection = http.client.HTTPConnection(self._address, timeout=TIMEOUT_SECONDS)
        return self._connection


def _parts(response: http.client.HTTPResponse, boundary: bytes) -> Iterator[bytes]:
    """Give the content of each body part (RFC 2046 Section 5.1.1)."""
    delimiter = b"\r\n--" + boundary
    waiting = bytearray(b"\r\n")
    inside = False
    while True:
        end = waiting.find(delimiter)
        if end < 0:
            chunk = response.read(CHUNK)
            if not chunk:
                raise WebError("A multipart body ended without its last boundary.")
            waiting += chunk
            continue
        if inside:
            yield bytes(waiting[:end]).split(b"\r\n\r\n", 1)[1]
        inside = True
        del waiting[: end + len(delimiter)]
        waiting += _at_least_two(response, waiting)
        if waiting.startswith(b"--"):
            response.read()
            return


def _at_least_two(response: http.client.HTTPResponse, waiting: bytearray) -> bytes:
    more = b""
    while len(waiting) + len(more) < 2:  # noqa: PLR2004 - what tells the last boundary
        chunk = response.read(CHUNK)
        if not chunk:
            raise WebError("A multipart body ended without its last boundary.")
        more += chunk
    return more
