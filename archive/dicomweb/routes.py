"""The DICOMweb service of one archive, mounted at ``/dicom-web`` by both tiers."""

from collections.abc import Callable

from starlette.routing import BaseRoute

from archive.dicomweb.documents import document_routes
from archive.dicomweb.qido import search_routes
from archive.dicomweb.stored import stored_route
from archive.dicomweb.wado import retrieve_routes
from archive.reader import Reader


def dicomweb_routes(reader: Callable[[], Reader]) -> list[BaseRoute]:
    """Return every DICOMweb route, each with its rule; ``reader`` gives what they read through."""
    return [
        *search_routes(reader),
        *retrieve_routes(reader),
        stored_route(reader),
        *document_routes(reader),
    ]
