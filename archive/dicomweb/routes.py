"""The DICOMweb service of one archive, at ``/dicom-web`` of both tiers."""

from collections.abc import Callable

from starlette.routing import BaseRoute, Mount

from archive.dicomweb.documents import document_routes
from archive.dicomweb.qido import search_routes
from archive.dicomweb.stored import stored_route
from archive.dicomweb.wado import retrieve_routes
from archive.reader import Reader

ROOT = "/dicom-web"


def dicomweb_routes(reader: Callable[[], Reader]) -> list[BaseRoute]:
    """Return every DICOMweb route, each with its rule; ``reader`` gives what they read through."""
    routes = [
        *search_routes(reader),
        *retrieve_routes(reader),
        stored_route(reader),
        *document_routes(reader),
    ]
    return [Mount(ROOT, routes=routes)]
