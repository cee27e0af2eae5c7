"""What of a study is shown: its series and instances without what the overlay hides."""

from dataclasses import dataclass

from sqlalchemy import Connection, Row

from archive.index.header import Elsewhere
from archive.index.members import Holding, series_holdings
from archive.index.overlay import overlay
from archive.index.studies import series_rows
from archive.store.manifest import PackKind


@dataclass(frozen=True, slots=True)
class ShownSeries:
    """One series with the instances that a door may show; one for each SOP Instance UID."""

    row: Row[tuple[object, ...]]
    holdings: tuple[Holding, ...]


@dataclass(frozen=True, slots=True)
class ShownStudy:
    """One study with the series that a door may show."""

    row: Row[tuple[object, ...]]
    series: tuple[ShownSeries, ...]

    @property
    def holdings(self) -> list[Holding]:
        """Every shown instance of the study."""
        return [holding for series in self.series for holding in series.holdings]

    @property
    def is_here(self) -> bool:
        """Tell whether all of it can be read from this tier's own storage."""
        return not any(isinstance(each.location, Elsewhere) for each in self.holdings)


def shown_study(
    conn: Connection, study: Row[tuple[object, ...]], *, kind: PackKind = PackKind.SERIES
) -> ShownStudy:
    """Return what a door may show of a study: its series, or its documents."""
    series = [
        ShownSeries(row=row, holdings=_shown(conn, study, row))
        for row in series_rows(conn, study.study_key)
        if row.kind == kind.value
    ]
    return ShownStudy(row=study, series=tuple(each for each in series if each.holdings))


def _shown(
    conn: Connection, study: Row[tuple[object, ...]], series: Row[tuple[object, ...]]
) -> tuple[Holding, ...]:
    holdings = list(series_holdings(conn, study.study_key, series.series_no))
    said = overlay(conn, study.custodian_id, [each.member.sop_instance_uid for each in holdings])
    shown: dict[str, Holding] = {}
    for each in holdings:
        uid = each.member.sop_instance_uid
        if not said.of(uid, each.member.sha256).is_open:
            continue
        if uid not in shown or isinstance(shown[uid].location, Elsewhere):
            shown[uid] = each
    return tuple(sorted(shown.values(), key=_by_number))


def _by_number(holding: Holding) -> tuple[int, str]:
    number = holding.member.instance_number.strip()
    in_order = int(number) if number.lstrip("+-").isdigit() else 1 << 31
    return in_order, holding.member.sop_instance_uid
