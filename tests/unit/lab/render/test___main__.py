"""Files of a lab without a lab: written once, and left alone afterwards."""

from pathlib import Path

import pytest

from lab.render.__main__ import main


def test_a_directory_is_rendered_once(tmp_path: Path) -> None:
    assert main([str(tmp_path)]) == 0
    certificate = (tmp_path / "tls" / "mc1-ca.pem").read_text()
    assert (tmp_path / "etc" / "pcscf.mc1" / "values.cfg").is_file()
    assert main([str(tmp_path)]) == 0
    assert (tmp_path / "tls" / "mc1-ca.pem").read_text() == certificate


@pytest.mark.parametrize("arguments", [[], ["--no"], ["a", "b"]])
def test_misuse_is_one_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert capsys.readouterr().err == "error: usage: python -m lab.render DIRECTORY | --compose\n"
