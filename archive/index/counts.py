"""What a status page and the ``status`` command show of an archive."""

from dataclasses import dataclass, field

from sqlalchemy import Connection, exists, func, select

from archive.index import tables
from archive.index.journal import tallies
from archive.states import JobState, StudyState
from archive.store.manifest import PackKind


@dataclass(frozen=True, slots=True)
class NodeHeard:
    """When the centre last heard of a node."""

    name: str
    organisation: str
    last_heard_ms: int | None


@dataclass(frozen=True, slots=True)
class Counts:
    """Counts of one moment."""

    studies: dict[str, int] = field(default_factory=dict)
    """By the ODS code of the custodian."""
    study_states: dict[str, int] = field(default_factory=dict)
    instances: int = 0
    """Sealed and loose."""
    loose_instances: int = 0
    packs: int = 0
    packs_announced: int = 0
    """Known here, octets elsewhere."""
    octets: int = 0
    """Of Data Sets in held packs."""
    documents: int = 0
    patients: int = 0
    held: int = 0
    """Objects kept but not indexed, waiting for a person."""
    data_quality: int = 0
    packs_withheld: int = 0
    """Held here and not to leave: a person decides."""
    studies_withheld: int = 0
    """Studies with such a pack."""
    studies_wholly_withheld: int = 0
    """STABLE studies of which nothing may leave."""
    rejected: int = 0
    quarantined: int = 0
    jobs: dict[str, int] = field(default_factory=dict)
    """By state."""
    oldest_job_ms: int | None = None
    """When the oldest unfinished job was made: the lag."""
    orders: dict[str, int] = field(default_factory=dict)
    nodes: tuple[NodeHeard, ...] = ()
    answers: dict[str, int] = field(default_factory=dict)
    """What register() answered, over all days."""


def count(conn: Connection) -> Counts:
    """Return the counts of now."""
    loose = _scalar(conn, select(func.count()).select_from(tables.instance))
    pack = tables.pack.c
    here = pack.encoding_id.is_not(None)
    of_images = pack.kind == PackKind.SERIES.value
    sealed = _scalar(conn, select(func.sum(pack.instance_count)).where(of_images))
    return Counts(
        studies=_studies_by_custodian(conn),
        study_states=_by(conn, tables.study.c.state, tables.study.c.kind == "study"),
        instances=loose + sealed,
        loose_instances=loose,
        packs=_scalar(conn, select(func.count()).select_from(tables.pack).where(here)),
        packs_announced=_scalar(conn, select(func.count()).select_from(tables.pack).where(~here)),
        octets=_scalar(conn, select(func.sum(pack.octets)).where(here, of_images)),
        documents=_scalar(conn, select(func.count()).select_from(tables.document)),
        patients=_scalar(conn, select(func.count()).select_from(tables.local_patient)),
        held=_open(conn, tables.held),
        data_quality=_open(conn, tables.data_quality),
        jobs=_by(conn, tables.job.c.state),
        oldest_job_ms=_oldest_job(conn),
        orders=_by(conn, tables.node_order.c.state),
        nodes=_nodes(conn),
        answers=_answers(conn),
        **_hidden(conn),
        **_withheld(conn),
    )


def _scalar(conn: Connection, query) -> int:  # type: ignore[no-untyped-def]  # noqa: ANN001
    return int(conn.execute(query).scalar() or 0)


def _by(conn: Connection, column, *where) -> dict[str, int]:  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN002
    query = select(column, func.count()).where(*where).group_by(column).order_by(column)
    return {str(name): int(number) for name, number in conn.execute(query)}


def _open(conn: Connection, table) -> int:  # type: ignore[no-untyped-def]  # noqa: ANN001
    query = select(func.count()).select_from(table).where(table.c.resolved_at.is_(None))
    return _scalar(conn, query)


def _studies_by_custodian(conn: Connection) -> dict[str, int]:
    """Count studies that have something to show or hide, by custodian."""
    study, organisation = tables.study.c, tables.organisation.c
    query = (
        select(organisation.ods_code, func.count())
        .join(tables.study, study.custodian_id == organisation.id)
        .where(study.kind == "study")
        .group_by(organisation.ods_code)
        .order_by(organisation.ods_code)
    )
    return {str(code): int(number) for code, number in conn.execute(query)}


def _hidden(conn: Connection) -> dict[str, int]:
    states = _by(conn, tables.instance_state.c.state)
    return {
        "rejected": states.get("REJECTED", 0),
        "quarantined": states.get("QUARANTINED", 0),
    }


def _withheld(conn: Connection) -> dict[str, int]:
    pack, study = tables.pack.c, tables.study.c
    packs = select(func.count()).select_from(tables.pack).where(pack.withheld)
    of_study = pack.study_key == study.study_key
    some_stays = exists().where(of_study, pack.withheld)
    some_leaves = exists().where(of_study, ~pack.withheld)
    studies = (
        select(func.count()).select_from(tables.study).where(study.kind == "study", some_stays)
    )
    is_stable = study.state == StudyState.STABLE.value
    return {
        "packs_withheld": _scalar(conn, packs),
        "studies_withheld": _scalar(conn, studies),
        "studies_wholly_withheld": _scalar(conn, studies.where(is_stable, ~some_leaves)),
    }


def _oldest_job(conn: Connection) -> int | None:
    columns = tables.job.c
    waiting = (JobState.SCHEDULED.value, JobState.IN_PROGRESS.value)
    query = select(func.min(columns.created_at)).where(columns.state.in_(waiting))
    return conn.execute(query).scalar()


def _nodes(conn: Connection) -> tuple[NodeHeard, ...]:
    node, organisation = tables.node.c, tables.organisation.c
    query = (
        select(node.name, organisation.ods_code, node.last_heard_at)
        .join(tables.organisation, node.organisation_id == organisation.id)
        .order_by(node.name)
    )
    return tuple(NodeHeard(*row) for row in conn.execute(query))


def _answers(conn: Connection) -> dict[str, int]:
    prefix = "register."
    counted = tallies(conn)
    return {
        name.removeprefix(prefix): number
        for name, number in counted.items()
        if name.startswith(prefix)
    }
