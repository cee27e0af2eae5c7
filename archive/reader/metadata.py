"""DICOM JSON of instances: from the pack where it was built once, else from the octets."""

import json
from collections.abc import Mapping
from functools import lru_cache

from sqlalchemy import select

from archive.errors import NotFound
from archive.index import tables
from archive.index.engine import Index
from archive.index.header import Location, Packed
from archive.index.members import unpacked_layout, unpacked_manifest
from archive.reader.octets import Octets
from archive.reader.outgoing import Outgoing
from archive.view.json_model import JsonObject, from_part10, stamped


class Metadata:
    """The metadata of one answer; each pack's is read once."""

    def __init__(self, index: Index, octets: Octets) -> None:
        self._index = index
        self._octets = octets
        self._of_pack = lru_cache(maxsize=4)(self._read_pack)

    def of(self, outgoing: Outgoing, location: Location) -> JsonObject:
        """Return one instance's DICOM JSON, the view applied (PS3.18 Section F.2)."""
        plain = self._plain(outgoing, location)
        return plain if outgoing.stamping is None else stamped(plain, outgoing.stamping)

    def _plain(self, outgoing: Outgoing, location: Location) -> JsonObject:
        if not isinstance(location, Packed):
            return from_part10(self._octets.whole(location))
        key = (outgoing.sop_instance_uid, outgoing.digest.sha256)
        found = self._of_pack(location.encoding_id).get(key)
        if found is None:
            raise NotFound("The pack has no metadata of it.", uid=outgoing.sop_instance_uid)
        return found

    def _read_pack(self, encoding_id: bytes) -> Mapping[tuple[str, bytes], JsonObject]:
        columns = tables.pack.c
        with self._index.reading() as conn:
            query = select(columns.manifest, columns.layout)
            row = conn.execute(query.where(columns.encoding_id == encoding_id).limit(1)).one()
        members = unpacked_manifest(row.manifest).members
        array = json.loads(self._octets.metadata(encoding_id, unpacked_layout(row.layout)))
        return {
            (member.sop_instance_uid, member.sha256): model
            for member, model in zip(members, array, strict=True)
        }
