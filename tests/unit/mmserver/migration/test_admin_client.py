"""Errors name what mends them; files go in parts whose lines keep their numbers."""

from pathlib import Path

import httpx2
import pytest
import trustme

from mmserver.http.settings import ConfigError
from mmserver.migration.admin_client import (
    CHUNK_LINES,
    MENDS,
    AdminClient,
    AdminConfig,
    AdminError,
    _given,
    _json_of,
    _parts,
    _refused,
    load_admin_config,
)
from mmserver.migration.errors import Refusal


def test_a_refusal_names_its_code_its_step_and_what_mends_it() -> None:
    problem = {"type": "urn:x:migration-withdrawn", "title": "Withdrawn", "detail": "by w-1", "step": "10.1.X.1-5"}
    text = str(_refused(httpx2.Response(403, json=problem)))
    assert text.splitlines()[0] == "migration-withdrawn: Withdrawn: by w-1 (step 10.1.X.1-5)"
    assert "restore" in text.splitlines()[1]


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}"])
def test_an_answer_of_something_else_is_said_to_be_so(body: bytes) -> None:
    assert "is that an MMS?" in str(_refused(httpx2.Response(502, content=body)))


@pytest.mark.parametrize("body", [b"", b"<html>"])
def test_a_success_of_something_else_is_said_to_be_so(body: bytes) -> None:
    with pytest.raises(AdminError, match="no JSON: is that an MMS"):
        _json_of(httpx2.Response(200, content=body))


def test_an_import_that_ends_in_the_middle_says_where(tmp_path: Path) -> None:
    """Nobody listens; the operator learns which lines may be in."""
    issued = trustme.CA()
    files = {name: tmp_path / name for name in ("ca", "certificate", "private_key")}
    issued.cert_pem.write_to_path(files["ca"])
    leaf = issued.issue_cert("admin.mc2.lab")
    leaf.cert_chain_pems[0].write_to_path(files["certificate"])
    leaf.private_key_pem.write_to_path(files["private_key"])
    said = r"(?s)^lines 1 to 2: https://127\.0\.0\.1:1: .*changes nothing twice$"
    config = AdminConfig(url="https://127.0.0.1:1", timeout_s=1, **files)
    with AdminClient(config) as client, pytest.raises(AdminError, match=said):
        list(client.import_lines(["a", "b"], dry_run=True))


def test_every_mend_is_for_a_problem_that_there_is() -> None:
    def codes(kind: type[Refusal]) -> set[str]:
        return {kind.code}.union(*(codes(below) for below in kind.__subclasses__()))

    assert set(MENDS) <= codes(Refusal) | {"client-not-allowed", "store-unavailable"}


def test_a_file_goes_in_parts_and_lines_keep_their_numbers() -> None:
    lines = [f"{number}" for number in range(CHUNK_LINES + 5)]
    assert [(first, len(part)) for first, part in _parts(lines)] == [(1, CHUNK_LINES), (CHUNK_LINES + 1, 5)]
    long = ["x" * 150_000, "y" * 150_000]
    assert [first for first, _ in _parts(long)] == [1, 2]
    assert list(_parts([])) == []


def test_what_is_not_given_is_not_asked() -> None:
    assert _given({"a": None, "b": False, "c": 1}) == {"b": "false", "c": "1"}


def test_the_administrators_file_is_held_to_its_constraints(tmp_path: Path) -> None:
    file = tmp_path / "mms-admin.toml"
    file.write_text('url = "http://mms.mc2.lab"\nca = "a"\ncertificate = "b"\nprivate_key = "c"\n')
    with pytest.raises(ConfigError, match=r"mms-admin\.toml: url: "):
        load_admin_config(file)
