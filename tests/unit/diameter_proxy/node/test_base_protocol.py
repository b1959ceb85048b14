"""The node's own messages."""

import pytest

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.commands import CEA, CER, DPR, DWR
from diameter_proxy.diameter.errors import AnswerableError, FramingLost
from diameter_proxy.diameter.grammar import check_command
from diameter_proxy.diameter.message import Message
from diameter_proxy.diameter.result_codes import ResultCode
from diameter_proxy.diameter.values import DisconnectCause
from diameter_proxy.node.config import PeerConfig
from diameter_proxy.node.sender import Sender

HSS = PeerConfig("proxy1.mc1.lab", "ims.mc1.lab")


def test_each_message_follows_its_grammar(sender: Sender) -> None:
    base = sender.base
    cer = Message.decode(base.cer("10.77.1.14", 1, 2))
    check_command(cer, CER)
    check_command(Message.decode(base.cea(cer, "fe80::1%eth0")), CEA)
    check_command(Message.decode(base.dwr(1, 2)), DWR)
    check_command(Message.decode(base.dpr(DisconnectCause.BUSY, 1, 2)), DPR)
    assert Message.decode(base.dwa(Message.decode(base.dwr(7, 8)))).header[4:] == (7, 8)


def test_cea_is_checked_for_command_result_and_name(sender: Sender) -> None:
    base = sender.base
    cer = Message.decode(base.cer("", 1, 2))
    cea = Message.decode(base.cea(cer, ""))
    assert base.check_cea(cea, HSS).origin_host == HSS.host
    for message, peer in [
        (cer, HSS),
        (Message.decode(base.dwa(Message.decode(base.dwr(1, 2)))), HSS),
        (Message.decode(base.answer(cer, ResultCode.NO_COMMON_APPLICATION)), HSS),
        (cea, PeerConfig("hss.mc1.lab", "ims.mc1.lab")),
    ]:
        with pytest.raises(AnswerableError):
            base.check_cea(message, peer)


def test_only_a_request_of_another_version_is_owed_an_answer(sender: Sender) -> None:
    base = sender.base
    header = b"\2\0\0\x14\xc0\0\1\x2f" + bytes(12)
    owed = base.loss(FramingLost("version", header=header, code=ResultCode.UNSUPPORTED_VERSION))
    assert owed is not None
    assert Message.decode(owed).get(d.RESULT_CODE) == 5011
    assert base.loss(FramingLost("length", header=header)) is None
    answer = header[:4] + b"\x40" + header[5:]
    assert base.loss(FramingLost("version", header=answer, code=ResultCode.UNSUPPORTED_VERSION)) is None
