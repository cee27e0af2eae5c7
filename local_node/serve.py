"""The serving process of a node: DICOMweb, the page, health."""

from collections.abc import Mapping

from starlette.routing import BaseRoute

from archive.clock import SystemClock
from archive.dicomweb.access import Role, TokenEntry
from archive.dicomweb.app import build_app
from archive.dicomweb.routes import dicomweb_routes
from archive.dicomweb.server import HttpServer
from archive.index.directory import last_heard
from archive.opening import Archive, open_archive
from archive.pages.kit import Kit
from archive.process import report_ready
from archive.words.identity import Issuer
from local_node.config import NodeSettings
from local_node.pages.home import node_kit, node_pages
from local_node.setup import CENTRE_NAME, write_directory


def run(settings: NodeSettings) -> None:
    """Serve until SIGTERM or SIGINT."""
    archive = open_archive(settings, system=settings.node.name, clock=SystemClock())
    with archive.index.writing() as conn:
        write_directory(conn, settings)
    kit = node_kit(settings.node.name, is_test=settings.environment == "test")
    app = build_app(
        name=settings.node.name,
        routes=[*dicomweb_routes(lambda: archive.reader), *_pages(settings, archive, kit)],
        tokens=token_entries(settings),
        ready_checks={"database": archive.index.now_ms},
        counts=archive.reader.counts,
        problem_page=kit.problem_page,
    )
    server = HttpServer(app, host=settings.http.host, port=settings.http.port)
    server.run(lambda port: report_ready(http=port))


def _pages(settings: NodeSettings, archive: Archive, kit: Kit) -> list[BaseRoute]:
    def heard() -> int | None:
        with archive.index.reading() as conn:
            return last_heard(conn, CENTRE_NAME)

    return node_pages(
        kit,
        trust=settings.node.organisation,
        reader=lambda: archive.reader,
        clock=SystemClock(),
        centre_heard=None if settings.centre is None else heard,
    )


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
