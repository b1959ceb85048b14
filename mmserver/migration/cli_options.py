"""What every command of ``mmserver migration`` takes, and how it ends when it cannot go on."""

from pathlib import Path
from typing import Annotated, NoReturn

import typer

from mmserver.http.settings import ConfigError
from mmserver.migration.config import MmsConfig, load_config

ConfigOption = Annotated[Path, typer.Option("--config", help="The server's mms.toml.", show_default=False)]
ConfigsOption = Annotated[
    list[Path], typer.Option("--config", help="The server's mms.toml; several for several stores.", show_default=False)
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]


def load(path: Path) -> MmsConfig:
    """Return the configuration, or end with 2 and the reason."""
    try:
        return load_config(path)
    except ConfigError as exc:
        fail(2, str(exc))


def fail(code: int, message: str) -> NoReturn:
    """End with this code and one line on standard error."""
    typer.echo(f"error: {message}", err=True)
    raise typer.Exit(code)
