"""The hook's guards, on memory made here (the real pjsua2: tests/integration/ue_agent/test_ue_register_body.py)."""

import subprocess
import sys

SCRIPT = """
import ctypes
from ue_agent import register_body as r
body = r.RegisterBody()
for octets in (b"", b"x" * (r.BODY_OCTETS_MAX + 1)):
    try:
        body.set("a/b", octets)
    except ValueError:
        continue
    raise SystemExit("taken")
body.set("a/b", b"octets")
kind, subtype, text = body._texts
message, found = r._Message(), r._Body()
name = ctypes.create_string_buffer(b"REGISTER", 8)
message.method.name = r._Str(ctypes.addressof(name), 8)
found.data, found.length = text.ptr, text.slen
message.body = ctypes.addressof(found)
made = (ctypes.c_ubyte * 512)()
ctypes.c_void_p.from_buffer(made, r.MESSAGE_OFFSET).value = ctypes.addressof(message)
assert r._body_of(ctypes.addressof(made), text) is not None
found.length = 5
assert r._body_of(ctypes.addressof(made), text) is None
found.length, message.type = 6, 1
assert r._body_of(ctypes.addressof(made), text) is None
body.clear()
assert body._texts is None
print("good")
"""


def test_only_a_register_that_holds_our_octets_is_written_to() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr, done.returncode) == ("good\n", "", 0)
