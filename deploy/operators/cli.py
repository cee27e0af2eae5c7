"""`imagestore status`, `queue list|show|retry|cancel`, `findings`, `trace UID`."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from archive.clock import from_milliseconds
from archive.states import JobState

if TYPE_CHECKING:
    from deploy.operators.tiers import Tier

queue = typer.Typer(help="The work that waits, runs or ended.", no_args_is_help=True)
findings = typer.Typer(help="What waits for a person.", invoke_without_command=True)

Config = Annotated[Path | None, typer.Option("--config", help="A tier's configuration file.")]
Directory = Annotated[Path | None, typer.Option("--dir", help="A region's directory: all tiers.")]
TierName = Annotated[str, typer.Option("--tier", help="One tier of the region, by name.")]


def status(config: Config = None, directory: Directory = None, tier: TierName = "") -> None:
    """Show how each tier stands: studies, work, what waits for a person."""
    from deploy.operators.standing import standing_lines

    for each in _tiers(config, directory, tier):
        typer.echo("\n".join(standing_lines(each)))


def trace(
    uid: Annotated[str, typer.Argument(help="UID of a study, series or instance.")],
    config: Config = None,
    directory: Directory = None,
    tier: TierName = "",
) -> None:
    """Tell the life of a study in order: time, tier, what happened, evidence."""
    from deploy.operators.life import life_lines

    for line in life_lines(_tiers(config, directory, tier), uid):
        typer.echo(line)


@queue.command("list")
def list_jobs(
    config: Config = None,
    directory: Directory = None,
    tier: TierName = "",
    state: Annotated[str, typer.Option(help=", ".join(JobState))] = "",
    kind: Annotated[str, typer.Option(help="replicate, fetch, …")] = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 50,
) -> None:
    """List jobs, newest first."""
    from sync.jobs.listing import JobFilter, Listing

    wanted = JobFilter(state=_state(state), kind=kind or None)
    for each in _tiers(config, directory, tier):
        for job in Listing(each.index).jobs(wanted, limit=limit):
            cause = f"  {job.cause}" if job.cause else ""
            typer.echo(
                f"{each.name:<8} {job.job_id:>6} {job.state:<12} {job.job_class:<9} {job.kind:<14}"
                f" attempt {job.attempt}  {_at(job.created_at_ms)}  {job.subject}{cause}"
            )


@queue.command("show")
def show_job(
    job_id: int, config: Config = None, directory: Directory = None, tier: TierName = ""
) -> None:
    """Show one job and its history."""
    from sync.jobs.listing import Listing

    listing = Listing(_one(config, directory, tier).index)
    job = listing.job(job_id)
    typer.echo(f"job {job.job_id}: {job.kind} {job.subject} to {job.destination or 'this tier'}")
    typer.echo(f"  {job.state}, class {job.job_class}, attempt {job.attempt}, {job.progress}")
    for event in listing.events(job_id):
        typer.echo(f"  {_at(event.at_ms)}  {event.state:<12} {event.evidence}")


@queue.command("retry")
def retry_job(
    job_id: int, config: Config = None, directory: Directory = None, tier: TierName = ""
) -> None:
    """Let a failed, cancelled or waiting job run now."""
    from sync.jobs.ledger import Ledger

    Ledger(_one(config, directory, tier).index).retry(job_id, actor="operator")
    typer.echo(f"job {job_id} is scheduled")


@queue.command("cancel")
def cancel_job(
    job_id: int, config: Config = None, directory: Directory = None, tier: TierName = ""
) -> None:
    """Cancel a job that has not ended."""
    from sync.jobs.ledger import Ledger

    Ledger(_one(config, directory, tier).index).cancel(job_id, actor="operator")
    typer.echo(f"job {job_id} is cancelled")


@findings.callback()
def list_findings(
    ctx: typer.Context,
    config: Config = None,
    directory: Directory = None,
    tier: TierName = "",
    *,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="So many of a tier.")] = 50,
    settled: Annotated[bool, typer.Option("--all", help="Also what is settled.")] = False,
) -> None:
    """List findings and held objects, newest first; `resolve ID` settles one."""
    if ctx.invoked_subcommand is not None:
        return
    from deploy.operators.findings import finding_lines

    for each in _tiers(config, directory, tier):
        for line in finding_lines(each, limit=limit, settled=settled):
            typer.echo(line)


@findings.command("resolve")
def resolve_finding(
    finding_id: Annotated[str, typer.Argument(metavar="ID", help="As the list shows it.")],
    config: Config = None,
    directory: Directory = None,
    tier: TierName = "",
) -> None:
    """Note that a person has seen to a finding or a held object."""
    from deploy.operators.findings import resolve

    one = _one(config, directory, tier)
    resolve(one, finding_id)
    typer.echo(f"{finding_id} at {one.name} is resolved")


def _tiers(config: Path | None, directory: Path | None, tier: str) -> "list[Tier]":
    from deploy.operators.tiers import open_tiers

    return open_tiers(config, directory, tier)


def _one(config: Path | None, directory: Path | None, tier: str) -> "Tier":
    found = _tiers(config, directory, tier)
    if len(found) > 1:
        names = ", ".join(each.name for each in found)
        raise typer.BadParameter(f"name one tier with --tier: {names}")
    return found[0]


def _state(name: str) -> JobState | None:
    if not name:
        return None
    if name.upper() not in set(JobState):
        raise typer.BadParameter(f"the states are {', '.join(JobState)}", param_hint="--state")
    return JobState(name.upper())


def _at(value: int) -> str:
    moment: datetime = from_milliseconds(value)
    return moment.strftime("%Y-%m-%d %H:%M:%S")
