"""A call on the real bindings; the library itself is started in no unit test (tests/integration/ue_agent)."""

import subprocess
import sys

SCRIPT = """
from ue_agent import pjsua_call as c
from ue_agent.errors import StackError
events = []
calls = c.Calls(events.append)
for act in (calls.hang_up, calls.count, lambda: calls.answer(200)):
    try:
        act()
    except StackError as exc:
        assert str(exc) == "there is no call"
    else:
        raise SystemExit("a call that is not there")
calls.play()
options = c._options(486)
assert (options.statusCode, options.opt.audioCount, options.opt.videoCount) == (486, 1, 0)
class Codec:
    def __init__(self, name): self.codecId = name
class Endpoint:
    def __init__(self): self.left = {}
    def codecEnum2(self): return [Codec("PCMU/8000/1"), Codec("speex/8000/1"), Codec("PCMA/8000/1")]
    def codecSetPriority(self, name, priority): self.left[name] = priority
endpoint = Endpoint()
c.choose_codecs(endpoint)
assert endpoint.left == {"PCMU/8000/1": 128, "speex/8000/1": 0, "PCMA/8000/1": 128}
calls.forget()
assert events == []
print("good")
"""


def test_without_a_call_and_its_settings() -> None:
    """A process of its own, for an abort would take the tests along."""
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr, done.returncode) == ("good\n", "", 0)
