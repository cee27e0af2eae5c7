"""Who speaks for whom at a trust's doors, from its settings. Needs no database."""

from archive.dimse.tables import CallerTable
from archive.words.identity import ANY, Issuer
from local_node.config import NodeSettings, SourceSettings


def all_sources(settings: NodeSettings) -> list[SourceSettings]:
    """Return the sources in the settings, and those that they imply.

    Every HL7 feed without a row speaks for the first authority; a calling AE does where any
    caller is taken.
    """
    implied = [SourceSettings(kind="hl7", name=ANY)]
    if settings.dicom.any_caller:
        implied.append(SourceSettings(kind="dicom", name=ANY))
    return [*implied, *settings.sources]


def authority_of(settings: NodeSettings, source: SourceSettings) -> Issuer:
    """Return the authority that a source speaks for; the first where it names none."""
    namespace = source.authority or settings.authorities[0].namespace
    return Issuer(settings.node.organisation, namespace)


def first_authority(settings: NodeSettings, ods_code: str) -> Issuer | None:
    """Return the authority whose numbers the own trust's peers take; None for any other trust."""
    own = settings.node.organisation
    return Issuer(own, settings.authorities[0].namespace) if ods_code == own else None


def caller_table(settings: NodeSettings) -> CallerTable:
    """Return as whom calling AEs ask at this node's door."""
    trust = settings.node.organisation
    rows = {
        source.name: (trust, authority_of(settings, source))
        for source in all_sources(settings)
        if source.kind == "dicom" and source.name != ANY
    }
    first = Issuer(trust, settings.authorities[0].namespace)
    rows |= {peer.ae_title: (trust, first) for peer in settings.peers if peer.ae_title not in rows}
    return CallerTable(rows, anyone=(trust, first) if settings.dicom.any_caller else None)
