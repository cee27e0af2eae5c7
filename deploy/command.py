"""`imagestore`: the one command. Each verb imports what it needs when it runs."""

import os

import typer

from archive.errors import ArchiveError
from archive.logs import log_to_stderr
from archive.process import watch_parent
from central_store.cli import app as central
from deploy.operators import cli as operators
from deploy.region.cli import app as region
from local_node.cli import Config
from local_node.cli import app as node

app = typer.Typer(
    help="A regional image store.", no_args_is_help=True, pretty_exceptions_enable=False
)
app.add_typer(node, name="node")
app.add_typer(central, name="central")
app.add_typer(region, name="region")
app.command("status")(operators.status)
app.command("trace")(operators.trace)
app.add_typer(operators.queue, name="queue")
app.add_typer(operators.findings, name="findings")


@node.command("up")
def node_up(config: Config) -> None:
    """Run all processes of a node and keep them running."""
    from deploy.region.tier import run_tier

    run_tier("node", config.absolute())


@central.command("up")
def central_up(config: Config) -> None:
    """Run all processes of the central store and keep them running."""
    from deploy.region.tier import run_tier

    run_tier("central", config.absolute())


@app.command()
def demo(
    *,
    once: bool = typer.Option(default=False, help="End by itself; status 0 if every step held."),
    directory: str = typer.Option("", "--dir", help="Where the region lives; else a fresh one."),
) -> None:
    """Show a region at work on real images."""
    from deploy.demo.story import show

    raise typer.Exit(show(once=once, directory=directory))


def main() -> None:
    """Run a verb; an error of ours is one sentence and its hint, never a traceback."""
    watch_parent()
    log_to_stderr()
    try:
        app()
    except ArchiveError as error:
        facts = " ".join(f"{key}={value}" for key, value in error.facts.items())
        typer.echo(f"imagestore: {error.sentence} {facts}".rstrip(), err=True)
        if error.hint:
            typer.echo(f"  {error.hint}", err=True)
        raise SystemExit(os.EX_UNAVAILABLE) from error


if __name__ == "__main__":
    main()
