"""``mmserver``: one command for two servers, each imported only when it is asked for."""

import importlib
from typing import Final

import typer

from mmserver.quick_imports import quick_imports
from mmserver.version_option import add_version

PARTS: Final = {"migration": "mmserver.migration.cli", "configuration": "mmserver.configuration.cli"}
PASSED_ON: Final = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}

app = typer.Typer(
    name="mmserver",
    help="Migration of mission critical users between IMS cores (3GPP TS 23.280): the two servers of an MC system.",
    epilog="Start with: mmserver migration upgrade --config mms.toml; mmserver migration run --config mms.toml",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
add_version(app, "mmserver")


@app.command(context_settings=PASSED_ON, add_help_option=False)
def migration(context: typer.Context) -> None:
    """Migration management server: lends SIP identities, binds them, tells the Diameter proxies."""
    _run("migration", context.args)


@app.command(context_settings=PASSED_ON, add_help_option=False)
def configuration(context: typer.Context) -> None:
    """Configuration management server: chooses the partner MC system and gives the UE its configuration."""
    _run("configuration", context.args)


def main() -> None:
    """Run the command line."""
    app()


def _run(part: str, arguments: list[str]) -> None:
    with quick_imports():
        program = importlib.import_module(PARTS[part])
    program.app(args=arguments, prog_name=f"mmserver {part}")


if __name__ == "__main__":
    main()
