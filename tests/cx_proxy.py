"""A real Diameter node where an MMS expects its proxy, with an S-CSCF behind it."""

import asyncio
import contextlib
from typing import Any

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.commands import CX, RTR, SAR, TGPP, UAR, CommandType
from diameter_proxy.diameter.message import Message, encode_answer, encode_request
from diameter_proxy.diameter.values import AuthSessionState, ServerAssignmentType
from diameter_proxy.diameter.values import UserDataAlreadyAvailable as Availability
from diameter_proxy.node.config import NodeConfig, PeerConfig
from diameter_proxy.node.errors import NodeError
from diameter_proxy.node.events import PeerEvent, PeerEventKind
from diameter_proxy.node.node import Node

MMS = "mms.mc2.lab"


class Proxy:
    """What a Diameter proxy with an S-CSCF behind it does: asks, and answers RTRs as told."""

    def __init__(self, name: str, port: int) -> None:
        self.rtrs: list[Message] = []
        self.told: list[tuple[PeerEventKind, str]] = []
        self.rtr_result: int | None = 2001
        self.rtr_delay_s = 0.0
        peer = PeerConfig(MMS, "ims.mc2.lab", connect=True, address="127.0.0.1", port=port)
        self.node = Node(NodeConfig(name, "ims.mc2.lab", peers=(peer,)), self._on_request, self._on_peer)
        self._end_to_end = 100

    def _on_peer(self, event: PeerEvent) -> None:
        self.told.append((event.kind, event.reason))

    def _on_request(self, peer: str, octets: bytes) -> None:
        request = Message.decode(octets)
        assert request.header.command_code == RTR.code
        self.rtrs.append(request)
        if self.rtr_result is not None:
            answer = encode_answer(
                request, origin_host="scscf.mc2.lab", origin_realm="ims.mc2.lab", result_code=self.rtr_result
            )
            asyncio.get_running_loop().call_later(self.rtr_delay_s, self._send, peer, answer)

    def _send(self, peer: str, answer: bytes) -> None:
        with contextlib.suppress(NodeError):  # the peer may be gone by then
            self.node.send(peer, answer)

    async def ask(self, command: CommandType, *avps: bytes) -> Message:
        self._end_to_end += 1
        common = [
            d.SESSION_ID.encode(f"scscf.mc2.lab;1;{self._end_to_end}"),
            d.VENDOR_SPECIFIC_APPLICATION_ID.encode(d.VENDOR_ID.encode(TGPP) + d.AUTH_APPLICATION_ID.encode(CX)),
            d.AUTH_SESSION_STATE.encode(AuthSessionState.NO_STATE_MAINTAINED),
            d.ORIGIN_HOST.encode("scscf.mc2.lab"),
            d.ORIGIN_REALM.encode("ims.mc2.lab"),
            d.DESTINATION_REALM.encode("ims.mc2.lab"),
        ]
        octets = encode_request(command, end_to_end=self._end_to_end, avps=[*common, *avps])
        return Message.decode(await self.node.request(MMS, octets, 30.0))

    async def user_authorization(self, identities: dict[str, Any]) -> Message:
        return await self.ask(
            UAR,
            d.USER_NAME.encode(identities["private_user_identity"]),
            d.PUBLIC_IDENTITY.encode(identities["public_user_identities"][0]),
            d.VISITED_NETWORK_IDENTIFIER.encode(b"ims.mc2.lab"),
        )

    async def server_assignment(self, identities: dict[str, Any], kind: ServerAssignmentType) -> Message:
        return await self.ask(
            SAR,
            d.PUBLIC_IDENTITY.encode(identities["public_user_identities"][0]),
            d.SERVER_NAME.encode("sip:scscf.mc2.lab:6060"),
            d.USER_NAME.encode(identities["private_user_identity"]),
            d.SERVER_ASSIGNMENT_TYPE.encode(kind),
            d.USER_DATA_ALREADY_AVAILABLE.encode(Availability.USER_DATA_NOT_AVAILABLE),
        )
