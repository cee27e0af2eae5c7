"""`imagestore node receive | serve | work`: the processes of a trust's node."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="A trust's node.", no_args_is_help=True)

Config = Annotated[Path, typer.Option("--config", help="The tier's configuration file.")]


@app.command()
def receive(config: Config) -> None:
    """Take DICOM and HL7 in; needs nothing but a disk."""
    from archive.config import load
    from local_node.config import NodeSettings
    from local_node.receive import run

    run(load(NodeSettings, config))


@app.command()
def serve(config: Config) -> None:
    """Answer HTTP: DICOMweb, the page, health."""
    from archive.config import load
    from local_node.config import NodeSettings
    from local_node.serve import run

    run(load(NodeSettings, config))


@app.command()
def work(config: Config) -> None:
    """Take in, seal, replicate, fetch."""
    from archive.config import load
    from local_node.config import NodeSettings
    from local_node.work import run

    run(load(NodeSettings, config))
