"""The reader: one answer for one asker, in short transactions, whatever door asked."""

from collections.abc import Iterator, Mapping

from sqlalchemy import Connection, insert

from archive.clock import Clock, milliseconds
from archive.errors import NoLocalNumber, NotFound
from archive.index import tables
from archive.index.counts import Counts, count
from archive.index.directory import (
    ensure_organisation,
    find_organisation,
    organisation_code,
)
from archive.index.engine import Index
from archive.index.findings import Waiting, findings, held_objects
from archive.index.header import Elsewhere, Location
from archive.index.matching import Level, matching_keys
from archive.index.members import Holding, holdings_of
from archive.index.overlay import overlay
from archive.index.search import (
    Match,
    candidate_studies,
    distinct_patients,
    matches_in,
    named,
    preferred_custody,
)
from archive.index.shown import ShownStudy
from archive.index.studies import series_rows, study_row
from archive.index.viewing import View, Viewer
from archive.reader.metadata import Metadata
from archive.reader.octets import Octets
from archive.reader.outgoing import Outgoing, Report, Selection
from archive.reader.reports import reports_beside
from archive.states import InstanceState
from archive.words.identity import Asker

_STUDIES_PER_TRANSACTION = 20


class Reader:
    """What doors read an archive through."""

    def __init__(self, index: Index, octets: Octets, *, system: str, clock: Clock) -> None:
        """Read from an open index; ``system`` is the name that stamps carry."""
        self._index = index
        self._octets = octets
        self._system = system
        self._clock = clock

    def search(
        self,
        asker: Asker,
        level: Level,
        keys: Mapping[str, str],
        *,
        limit: int | None = None,
        offset: int = 0,
    ) -> Iterator[Match]:
        """Yield the matches of a query, newest study first.

        ``keys`` are by DICOM keyword as on the wire: empty is universal, lists of UIDs are
        parted by backslash, keys that are not matched at the level restrict nothing.

        Raises:
            InvalidQuery: a range without dates or times.
            NoAuthority: a patient number is asked for and nothing says whose it is.
            UnknownIssuer: the issuer named is not known here.
            DatabaseUnavailable: the database did not answer.
        """
        wanted = matching_keys(level, keys)
        found = self._found(asker, level, wanted)
        if level is Level.PATIENT:
            found = distinct_patients(found)
        for number, match in enumerate(found):
            if limit is not None and number >= offset + limit:
                return
            if number >= offset:
                yield match

    def select(self, asker: Asker, selection: Selection) -> list[Outgoing]:
        """Return every instance of a selection that a door may show, newest study first.

        Raises:
            NoAuthority, UnknownIssuer, DatabaseUnavailable: as :meth:`search`.
        """
        with self._index.reading() as conn:
            viewer = self._viewer(conn, asker)
            groups = candidate_studies(conn, asker, _keys(selection))
            chosen = (preferred_custody(conn, asker, viewer, group) for group in groups)
            return [
                outgoing
                for choice in chosen
                if choice is not None
                for outgoing in _outgoing_of(conn, *choice, selection)
            ]

    def stored(
        self,
        asker: Asker,
        *,
        study_uid: str,
        series_uid: str,
        sop_uid: str,
        sha256: bytes | None = None,
    ) -> Outgoing:
        """Return one instance whose octets are asked for as stored.

        With ``sha256`` exactly those octets, also where others serve under the UID; without it
        those that serve.

        Raises:
            NotFound: nothing that a door may show has that name.
        """
        if sha256 is None:
            found = self.select(asker, Selection((study_uid,), (series_uid,), (sop_uid,)))
        else:
            with self._index.reading() as conn:
                found = self._exactly(conn, asker, (study_uid, series_uid, sop_uid), sha256)
        if not found:
            raise NotFound("No such instance.", sop_instance_uid=sop_uid)
        return found[0]

    def part10(self, outgoing: Outgoing) -> Iterator[bytes]:
        """Return the stored Part 10 octets, File Meta Information as this archive wrote it.

        Raises:
            NotYetHeld, NotFound, StorageFailed: as :meth:`archive.reader.Octets.whole`.
        """
        return self._octets.whole(self._where(outgoing))

    def data_set(self, outgoing: Outgoing) -> Iterator[bytes]:
        """Return the stored Data Set octets; errors as :meth:`part10`."""
        return self._octets.data_set(self._where(outgoing))

    def metadata(self, asker: Asker, selection: Selection) -> Iterator[dict[str, object]]:
        """Yield DICOM JSON of each instance (PS3.18 Section F.2), the view applied, no bulk data.

        Raises:
            NotYetHeld, NotFound, StorageFailed: as :meth:`part10`.
        """
        metadata = Metadata(self._index, self._octets)
        for outgoing in self.select(asker, selection):
            yield metadata.of(outgoing, self._where(outgoing))

    def reports(self, asker: Asker, *, study_uid: str) -> list[Report]:
        """Return the documents beside a study that the asker finds, newest first.

        A document's text cannot be stamped: it names the patient by the custodian's number.

        Raises:
            NotFound: the asker finds no such study.
            NoLocalNumber: the asker's authority has no number for the person.
        """
        with self._index.reading() as conn:
            groups = candidate_studies(conn, asker, {"StudyInstanceUID": study_uid})
            found = [key for group in groups for key in group]
            if not found:
                raise NotFound("No such study.", study_instance_uid=study_uid)
            viewer = self._viewer(conn, asker)
            known = [key for key in found if viewer.view(study_row(conn, key)).local_number]
            if not known:
                raise NoLocalNumber("No local number for this patient.", uid=study_uid)
            return reports_beside(conn, known)

    def document(self, report: Report) -> Iterator[bytes]:
        """Return a document's octets as received; errors as :meth:`part10`."""
        return self._octets.whole(report.location)

    def note_delivery(
        self, asker: Asker, outgoing: Outgoing, *, destination: str, means: str
    ) -> None:
        """Write that an instance has left, so that it is known should it come back."""
        with self._index.writing() as conn:
            receiver = asker.organisation
            conn.execute(
                insert(tables.delivery).values(
                    at=milliseconds(self._clock.now()),
                    organisation_id=receiver and ensure_organisation(conn, receiver),
                    destination=destination,
                    means=means,
                    custodian_id=ensure_organisation(conn, outgoing.custodian),
                    study_instance_uid=outgoing.study_instance_uid,
                    sop_instance_uid=outgoing.sop_instance_uid,
                    sha256=outgoing.digest.sha256,
                    stamped=outgoing.stamping is not None,
                )
            )

    def counts(self) -> Counts:
        """Return what a status page shows."""
        with self._index.reading() as conn:
            return count(conn)

    def waiting(self, *, limit: int, organisation: str | None = None) -> Waiting:
        """Return the newest of what waits for a person.

        With an organisation only what was found in its name: a held object is nobody's yet.
        """
        with self._index.reading() as conn:
            found = findings(conn, limit=limit, organisation=organisation)
            held = held_objects(conn, limit=limit) if organisation is None else ()
        return Waiting(findings=found, held=held)

    def _found(self, asker: Asker, level: Level, wanted: Mapping[str, str]) -> Iterator[Match]:
        with self._index.reading() as conn:
            groups = candidate_studies(conn, asker, wanted)
        for start in range(0, len(groups), _STUDIES_PER_TRANSACTION):
            with self._index.reading() as conn:
                viewer = self._viewer(conn, asker)
                matches = [
                    match
                    for group in groups[start : start + _STUDIES_PER_TRANSACTION]
                    for match in matches_in(conn, asker, viewer, group, level, wanted)
                ]
            yield from matches

    def _viewer(self, conn: Connection, asker: Asker) -> Viewer:
        return Viewer(conn=conn, asker=asker, system=self._system, at=self._clock.now())

    def _where(self, outgoing: Outgoing) -> Location:
        """Return where octets lie now: sealing may have moved them since they were selected."""
        with self._index.reading() as conn:
            custodian = find_organisation(conn, outgoing.custodian)
            found = [
                holding.location
                for holding in holdings_of(conn, outgoing.sop_instance_uid, custodian_id=custodian)
                if holding.member.digest == outgoing.digest
            ]
        for location in sorted(found, key=lambda location: isinstance(location, Elsewhere)):
            return location
        raise NotFound("The instance is not held any more.", uid=outgoing.sop_instance_uid)

    def _exactly(
        self, conn: Connection, asker: Asker, uids: tuple[str, str, str], sha256: bytes
    ) -> list[Outgoing]:
        viewer = self._viewer(conn, asker)
        return [
            outgoing
            for holding in holdings_of(conn, uids[2])
            if holding.member.sha256 == sha256
            for outgoing in _visible(conn, viewer, holding)
            if (outgoing.study_instance_uid, outgoing.series_instance_uid) == uids[:2]
        ]


def _keys(selection: Selection) -> dict[str, str]:
    keys = {
        "StudyInstanceUID": "\\".join(selection.study_uids),
        "SeriesInstanceUID": "\\".join(selection.series_uids),
        "SOPInstanceUID": "\\".join(selection.sop_uids),
        "PatientID": selection.patient_id,
        "IssuerOfPatientID": selection.issuer,
    }
    return {keyword: text for keyword, text in keys.items() if text}


def _outgoing_of(
    conn: Connection, study: ShownStudy, view: View, selection: Selection
) -> Iterator[Outgoing]:
    custodian = organisation_code(conn, study.row.custodian_id)
    for series in study.series:
        if not named(selection.series_uids, series.row.series_instance_uid):
            continue
        for holding in series.holdings:
            if named(selection.sop_uids, holding.member.sop_instance_uid):
                yield _outgoing(
                    holding,
                    view,
                    study_uid=study.row.study_instance_uid,
                    series_uid=series.row.series_instance_uid,
                    custodian=custodian,
                )


def _outgoing(
    holding: Holding, view: View, *, study_uid: str, series_uid: str, custodian: str
) -> Outgoing:
    refusal = None
    if not view.local_number:
        refusal = NoLocalNumber(
            "No local number for this patient; register the patient first.",
            sop_instance_uid=holding.member.sop_instance_uid,
        )
    return Outgoing(
        study_instance_uid=study_uid,
        series_instance_uid=series_uid,
        sop_class_uid=holding.member.sop_class_uid,
        sop_instance_uid=holding.member.sop_instance_uid,
        digest=holding.member.digest,
        size=holding.member.size,
        custodian=custodian,
        location=holding.location,
        stamping=view.stamping,
        refusal=refusal,
    )


def _visible(conn: Connection, viewer: Viewer, holding: Holding) -> Iterator[Outgoing]:
    """Yield a holding that does not serve but is not hidden either."""
    study = study_row(conn, holding.study_key)
    uid = holding.member.sop_instance_uid
    shown = overlay(conn, study.custodian_id, [uid]).of(uid, holding.member.sha256)
    if shown.state is not InstanceState.VISIBLE:
        return
    series = {row.series_no: row for row in series_rows(conn, holding.study_key)}
    yield _outgoing(
        holding,
        viewer.view(study),
        study_uid=study.study_instance_uid,
        series_uid=series[holding.series_no].series_instance_uid,
        custodian=organisation_code(conn, study.custodian_id),
    )
