"""The command line."""

from typer.testing import CliRunner

from lab.systems.mcservice.cli import app

GOOD = 'name = "m"\naddress = "10.0.0.1"\ncore = ["10.0.0.2"]\nissuer = "https://idms"\nca = "ca.pem"\n'


def test_check_says_what_it_read_or_what_is_wrong(tmp_path) -> None:
    file = tmp_path / "mcs.toml"
    file.write_text(GOOD)
    good = CliRunner().invoke(app, ["check", "--config", str(file)])
    assert (good.exit_code, good.stdout) == (0, "ok: m, tokens of https://idms, 1 hosts of the core\n")
    file.write_text("x = 1")
    assert CliRunner().invoke(app, ["check", "--config", str(file)]).exit_code == 2
