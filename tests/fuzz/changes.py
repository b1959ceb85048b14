"""Good inputs with a few changes: octets exchanged, taken out, put in, doubled; lengths that lie."""

from functools import cache
from typing import Any

from hypothesis import strategies as st

from tests.fuzz.targets import seeds

_seeds = cache(seeds)


@st.composite
def _changed(draw: Any, target: str) -> bytes:
    named = _seeds()[target]
    octets = bytearray(named[draw(st.sampled_from(sorted(named)))])
    for _ in range(draw(st.integers(0, 5))):
        at = draw(st.integers(0, len(octets)))
        match draw(st.sampled_from(["set", "out", "in", "word", "kind", "double"])):
            case "set":
                octets[at : at + 1] = draw(st.binary(min_size=1, max_size=1))
            case "out":
                del octets[at : at + draw(st.integers(1, 16))]
            case "in":
                octets[at:at] = draw(st.binary(max_size=16))
            case "word":  # where lengths and codes are
                octets[at // 4 * 4 : at // 4 * 4 + 4] = draw(st.binary(min_size=4, max_size=4))
            case "kind":
                octets[:1] = draw(st.binary(min_size=1, max_size=1))
            case _:
                octets[at:at] = octets[at : at + draw(st.sampled_from([4, 8, 12, 16, 64]))]
    return bytes(octets)


def changed(target: str) -> st.SearchStrategy[bytes]:
    """Return changed good inputs of a target, and now and then octets that nobody has thought of."""
    return _changed(target) | st.binary(max_size=200)
