"""What a SIP stack process is told when it starts: one registration of one identity set, as a value.

No secret is in it: the stack's process never learns K, RES, CK or IK (``challenge``).
"""

import dataclasses
import json
from dataclasses import dataclass
from typing import Literal

Transport = Literal["udp", "tcp"]

MC_FEATURE_TAGS = '+g.3gpp.mcptt;+g.3gpp.icsi-ref="urn%3Aurn-7%3A3gpp-service.ims.icsi.mcptt"'
"""Contact parameters of an MC service UE (TS 24.379 §7.2.1)."""


@dataclass(frozen=True, slots=True)
class StackSettings:
    """One registration (TS 24.229 §5.1.1.2).

    Attributes:
        private_user_identity: username of Authorization.
        public_user_identity: From and To of REGISTER.
        home_domain: Request-URI and digest realm.
        p_cscf: SIP URI of the first hop.
        local_address: source of all SIP; IPv4 or IPv6.
        local_port: port to bind, 0 for any.
        instance: URN of ``+sip.instance`` (RFC 5626 §4.1).
    """

    private_user_identity: str
    public_user_identity: str
    home_domain: str
    p_cscf: str
    local_address: str
    local_port: int
    transport: Transport
    expires_s: int
    instance: str
    access_network_info: str

    def to_json(self) -> str:
        """Return the settings as one line."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, line: str | bytes) -> "StackSettings":
        """Return what ``to_json`` wrote.

        Raises:
            ValueError: the line is not JSON.
            TypeError: a member is missing or unknown.
        """
        return cls(**json.loads(line))

    @property
    def route(self) -> str:
        """The P-CSCF as a loose route over the transport chosen (RFC 3261 §16.12.1.1)."""
        uri = self.p_cscf
        if self.transport == "tcp" and ";transport=" not in uri:
            uri += ";transport=tcp"
        return uri if uri.endswith(";lr") or ";lr;" in uri else uri + ";lr"

    @property
    def contact_parameters(self) -> str:
        """Parameters of the Contact header."""
        return f';+sip.instance="<{self.instance}>";{MC_FEATURE_TAGS}'
