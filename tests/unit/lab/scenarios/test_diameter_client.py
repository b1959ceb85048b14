"""The MAR of a scenario's own making is whole, by another reader of it."""

from diameter_proxy.diameter import commands
from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.message import Message
from lab.scenarios.diameter_client import mar

TASK = {
    "origin_host": "probe.mc2.lab",
    "origin_realm": "ims.mc2.lab",
    "private_user_identity": "mig-a@ims.mc2.lab",
    "public_user_identity": "sip:mig-b@ims.mc2.lab",
    "scheme": "SIP Digest",
    "server_name": "sip:probe.mc2.lab:6060",
}


def test_every_avp_that_a_mar_must_have_is_there() -> None:
    message = Message.decode(mar(TASK))
    assert message.header.command_code == commands.MAR.code
    assert all(message.get(avp) is not None for avp in commands.MAR.required)


def test_the_scheme_is_the_tasks() -> None:
    item = Message.decode(mar(TASK)).group(d.SIP_AUTH_DATA_ITEM)
    assert item is not None
    assert item.get(d.SIP_AUTHENTICATION_SCHEME) == "SIP Digest"
