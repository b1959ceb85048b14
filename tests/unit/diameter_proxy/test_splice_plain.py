"""The plain twin of the hot path (RFC 6733 §4.1)."""

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.wire import encode_message
from diameter_proxy.hot_path import USER_NAME
from diameter_proxy.splice_plain import locate_plainly, splice_plainly

MESSAGE = encode_message(0xC0, 303, 16777216, 1, 2, [d.SESSION_ID.encode("s"), d.USER_NAME.encode("u@d")])


def test_an_avp_is_exchanged_and_the_rest_is_not():
    edits = [(locate_plainly(MESSAGE)[USER_NAME], d.USER_NAME.encode("v@e"))]
    wanted = encode_message(0xD0, 303, 16777216, 5, 2, [d.SESSION_ID.encode("s"), d.USER_NAME.encode("v@e")])
    assert splice_plainly(MESSAGE, 0xD0, 5, edits) == wanted
