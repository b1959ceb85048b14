"""The program around the HSS; with sockets it is in tests/integration/test_hss_program.py."""

from collections.abc import Iterator

import pytest

from lab.systems.hss.config import HssConfig
from lab.systems.hss.control import AnswersCommand, ModeCommand, RtrCommand, SequenceNumberCommand, StatusCommand
from lab.systems.hss.program import HssProgram, node_config

CONFIG = {
    "node": {"origin_host": "hss.mc1.lab", "origin_realm": "ims.mc1.lab", "port": 3868, "peers": ["a.lab", "b.lab"]},
    "hss": {"state": ":memory:", "scscf": ["sip:s.lab"]},
    "users": [
        {
            "name": "alice",
            "k": "465b5ce8b199b49faa5f0a2ee238a6bc",
            "opc": "cd63cb71954a9f4e48a5994e37a02baf",
            "impis": [{"private_user_identity": "a@lab", "public_user_identities": ["sip:a@lab"]}],
        }
    ],
}


@pytest.fixture
def program() -> Iterator[HssProgram]:
    program = HssProgram(HssConfig.model_validate(CONFIG))
    yield program
    program.close()


def test_the_node_only_accepts() -> None:
    config = node_config(HssConfig.model_validate(CONFIG))
    assert [(peer.host, peer.realm, peer.connect) for peer in config.peers] == [
        ("a.lab", "ims.mc1.lab", False),
        ("b.lab", "ims.mc1.lab", False),
    ]
    assert [(row.address, row.port, row.tls) for row in config.listeners] == [("127.0.0.1", 3868, False)]


async def test_status_of_a_fresh_hss(program: HssProgram) -> None:
    assert await program.handle(StatusCommand(command="status")) == {
        "ok": True,
        "mode": "plain",
        "listen": [],
        "open_peers": [],
        "counts": {},
        "registrations": [],
    }


async def test_mode_and_sequence_number_change_on_command(program: HssProgram) -> None:
    reply = await program.handle(ModeCommand.model_validate({"command": "mode", "mode": "imsi-only"}))
    assert reply == {"ok": True, "mode": "imsi-only"}
    reply = await program.handle(SequenceNumberCommand(command="sequence-number", user="alice", sqn_he=32))
    assert reply == {"ok": True, "user": "alice", "sqn_he": 32}


async def test_how_it_answers_changes_on_command(program: HssProgram) -> None:
    reply = await program.handle(AnswersCommand(command="answers", silent=True))
    assert reply == {"ok": True, "silent": True, "after_s": 0.0}
    reply = await program.handle(AnswersCommand(command="answers", after_s=0.3))
    assert reply == {"ok": True, "silent": False, "after_s": 0.3}


@pytest.mark.parametrize(
    ("impi", "error"), [("nobody@lab", "no such private user identity"), ("a@lab", "no peer is open")]
)
async def test_an_rtr_that_cannot_go_out_is_refused(program: HssProgram, impi: str, error: str) -> None:
    reply = await program.handle(RtrCommand(command="rtr", private_user_identity=impi, reason=0))
    assert reply == {"ok": False, "error": error}
