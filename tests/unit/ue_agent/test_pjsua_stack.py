"""Settings into pjsua2's, on the real bindings; the library itself is started in no unit test."""

import subprocess
import sys

SCRIPT = """
from ue_agent import pjsua_stack as s
from ue_agent.stack_settings import StackSettings
settings = StackSettings("u@d", "sip:u@d", "d", "sip:10.0.0.1", "10.0.0.2", 0, "tcp", 600, "urn:uuid:1", "3GPP-NR")
c = s._account_config(settings, 7)
t = c.mediaConfig.transportConfig
assert (t.boundAddress, t.port) == ("10.0.0.2", 0)
cr = c.sipConfig.authCreds[0]
assert (c.idUri, c.regConfig.registrarUri, c.regConfig.timeoutSec) == ("sip:u@d", "sip:d", 600)
assert not c.regConfig.registerOnAdd and c.regConfig.retryIntervalSec == 0
assert {h.hName: h.hValue for h in c.regConfig.headers} == {"P-Access-Network-Info": "3GPP-NR", "Supported": "path"}
assert c.sipConfig.authInitialEmpty and c.sipConfig.authInitialAlgorithm == "AKAv1-MD5"
assert list(c.sipConfig.proxies) == ["sip:10.0.0.1;transport=tcp;lr"] and c.sipConfig.transportId == 7
assert not (c.natConfig.contactRewriteUse or c.natConfig.viaRewriteUse or c.natConfig.sipOutboundUse)
assert (cr.scheme, cr.realm, cr.username, cr.dataType) == ("Digest", "d", "u@d", s.pj.PJSIP_CRED_DATA_EXT_AKA)
assert cr.data == "" and cr.akaK == ""
e = s._endpoint_config()
assert e.medConfig.noVad
assert (e.logConfig.level, e.logConfig.consoleLevel, e.uaConfig.threadCnt) == (0, 0, 1)
assert s._port_of("10.0.0.2:5062") == 5062 and s._port_of("[::1]:5062") == 5062
class Prm: pass
class Data: wholeMsg = "SIP/2.0 200 OK\\r\\nP-Associated-URI: <sip:u@d>\\r\\n\\r\\n"
class Refused: refusal = "mac-failure"
class Silent: refusal = ""
class Self:
    def __init__(self, endpoint): self._endpoint_of_ours = endpoint
def registration(endpoint, **members):
    prm = Prm(); prm.__dict__.update(rdata=Data, **members)
    return s._Account._registration(Self(endpoint), prm)
R = s.RegistrationChanged
assert registration(Silent, status=0, code=200, reason="OK", expiration=540) == R(200, "OK", 540, ("sip:u@d",))
assert registration(Silent, status=0, code=403, reason="No", expiration=0) == R(403, "No", 0, ())
assert registration(Refused, status=70001, code=401, reason="x", expiration=0) == R(401, "mac-failure", 0, ())
assert registration(Silent, status=70001, code=401, reason="", expiration=0) == R(401, "pjsip status 70001", 0, ())
assert registration(Silent, status=0, code=200, reason="OK", expiration=-1).expires_s == 0
assert registration(Silent, status=0, code=200, reason="OK", expiration=1 << 40).expires_s == 0xFFFFFFFF
print("good")
"""


def test_settings_and_answers_on_the_real_bindings() -> None:
    """TS 24.229 §5.1.1.2.1; a process of its own, for an abort would take the tests along."""
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr, done.returncode) == ("good\n", "", 0)
