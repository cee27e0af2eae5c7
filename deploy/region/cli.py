"""`imagestore region up | down | status`."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated

import structlog
import typer

from archive.errors import ArchiveError
from archive.process import watch_parent
from deploy.region.directory import RegionDirectory
from deploy.region.launch import STOP_SECONDS, start_detached, take_down
from deploy.region.options import Authority, Caller, Peer, RegionOptions, Source
from deploy.region.status import read_status, status_lines
from deploy.region.up import run_region

app = typer.Typer(help="The whole region on one machine.", no_args_is_help=True)

Directory = Annotated[Path, typer.Option("--dir", help="Where the region keeps everything.")]


@app.command()
def up(
    directory: Directory,
    trusts: Annotated[str, typer.Option(help="Trusts' ODS codes, comma separated.")],
    *,
    detach: Annotated[bool, typer.Option("--detach", help="Return when ready.")] = False,
    peer: Annotated[
        list[str] | None, typer.Option(help="RXB:AET=HOST:PORT, a peer that a node calls.")
    ] = None,
    ae: Annotated[
        list[str] | None, typer.Option(help="CALLING=RXA, for whom an AE calls the centre.")
    ] = None,
    authority: Annotated[
        list[str] | None, typer.Option(help="RXA=RXAW, a further assigning authority of a trust.")
    ] = None,
    source: Annotated[
        list[str] | None,
        typer.Option(help="RXA:CALLING=RXAW, an AE or HL7 feed that speaks for an authority."),
    ] = None,
) -> None:
    """Start the region and keep it running until Ctrl-C, or detached from this terminal."""
    with _told():
        options = RegionOptions(
            directory=directory.absolute(),
            trusts=tuple(trusts.split(",")),
            peers=tuple(map(Peer.parse, peer or ())),
            callers=tuple(map(Caller.parse, ae or ())),
            authorities=tuple(map(Authority.parse, authority or ())),
            sources=tuple(map(Source.parse, source or ())),
        )
        if detach:
            start_detached(options)
            typer.echo(f"The region is up: {RegionDirectory(options.directory).region}")
        else:
            _stay_up(options)


@app.command()
def down(directory: Directory) -> None:
    """End the region of a directory; its content stays."""
    with _told():
        take_down(directory.absolute())


@app.command()
def status(directory: Directory) -> None:
    """Show the region's processes."""
    with _told():
        lines = status_lines(read_status(RegionDirectory(directory.absolute())))
        typer.echo("\n".join(lines))


def _stay_up(options: RegionOptions) -> None:
    watch_parent(grace_seconds=STOP_SECONDS)
    _log_to_stderr()
    run_region(options)


def _log_to_stderr() -> None:
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.KeyValueRenderer(key_order=["timestamp", "level", "event"]),
        ],
        logger_factory=lambda *_args: _StandardError(),
    )


class _StandardError:
    """Standard error that may be lost: a full disk or a closed terminal must not end the region."""

    def msg(self, line: str) -> None:
        """Write one line."""
        with suppress(OSError):
            os.write(2, f"{line}\n".encode("utf-8", "backslashreplace"))

    debug = info = warning = error = msg


@contextmanager
def _told() -> Iterator[None]:
    """Tell an error as a sentence with its hint and end with status 1."""
    try:
        yield
    except (ArchiveError, OSError) as error:
        hint = error.hint if isinstance(error, ArchiveError) else ""
        typer.echo("\n".join(filter(None, (f"imagestore region: {error}", hint))), err=True)
        raise typer.Exit(1) from error
