"""The serving process of a node: DICOMweb, the page, health."""

from collections.abc import Mapping

from archive.clock import SystemClock
from archive.dicomweb.access import Role, TokenEntry
from archive.dicomweb.app import build_app
from archive.dicomweb.routes import dicomweb_routes
from archive.dicomweb.server import HttpServer
from archive.opening import open_archive
from archive.process import report_ready
from archive.words.identity import Issuer
from local_node.config import NodeSettings
from local_node.setup import write_directory


def run(settings: NodeSettings) -> None:
    """Serve until SIGTERM or SIGINT."""
    archive = open_archive(settings, system=settings.node.name, clock=SystemClock())
    with archive.index.writing() as conn:
        write_directory(conn, settings)
    app = build_app(
        name=settings.node.name,
        routes=dicomweb_routes(lambda: archive.reader),
        tokens=token_entries(settings),
        ready_checks={"database": archive.index.now_ms},
        counts=archive.reader.counts,
    )
    server = HttpServer(app, host=settings.http.host, port=settings.http.port)
    server.run(lambda port: report_ready(http=port))


def token_entries(settings: NodeSettings) -> list[TokenEntry]:
    """Return the users of a node: its trust's, and the region's operators."""
    trust = settings.node.organisation
    first = Issuer(trust, settings.authorities[0].namespace)
    asks_as: Mapping[str, tuple[str, Issuer | None]] = {
        Role.RADIOLOGIST: (trust, first),
        Role.OPERATOR: ("", None),
    }
    return [
        TokenEntry(token.name, Role(token.role), *asks_as[token.role], token.sha256)
        for token in settings.tokens
    ]
