"""`imagestore central serve | work`: the processes of the central store."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="The region's central store.", no_args_is_help=True)

Config = Annotated[Path, typer.Option("--config", help="The store's configuration file.")]


@app.command()
def serve(config: Config) -> None:
    """Answer nodes, users and DICOM peers."""
    from archive.config import load
    from central_store.config import CentralSettings
    from central_store.serve import run

    run(load(CentralSettings, config))


@app.command()
def work(config: Config) -> None:
    """Take in, seal, plan."""
    from archive.config import load
    from central_store.config import CentralSettings
    from central_store.work import run

    run(load(CentralSettings, config))
