"""Long runs: any octets give a value or a documented error, on the wire, in the hot path and in identities."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diameter_proxy.diameter.errors import DiameterError
from diameter_proxy.diameter.message import Message
from diameter_proxy.diameter.wire import FrameBuffer, walk_avps
from diameter_proxy.hot_path import Unreadable, locate
from diameter_proxy.splice_plain import locate_plainly
from mmserver.identity import InvalidIdentity, parse_impi, parse_impu
from ue_agent.aka.digest import decode_nonce
from ue_agent.aka.errors import InvalidChallenge

pytestmark = pytest.mark.slow
ROUND = settings(max_examples=2000, deadline=None)
SHARE = 0.25


def test_a_stream_gives_messages_or_a_documented_error(repeat):
    @ROUND
    @given(st.lists(st.binary(max_size=400), max_size=8))
    def once(pieces):
        frames = FrameBuffer()
        with contextlib.suppress(DiameterError):
            for piece in pieces:
                for message in frames.receive_data(piece):
                    list(walk_avps(message))
                    Message.decode(message)

    repeat(once, SHARE)


def test_the_hot_path_and_its_plain_twin_agree(repeat):
    @ROUND
    @given(st.binary(max_size=400), st.integers(1, 20))
    def once(octets, avps_max):
        def outcome(function):
            try:
                return function(bytes(20) + octets, avps_max)
            except Unreadable as exc:
                return exc.start, exc.too_many

        assert outcome(locate) == outcome(locate_plainly)

    repeat(once, SHARE)


def test_a_text_is_an_identity_or_refused(repeat):
    @ROUND
    @given(st.text(max_size=300))
    def once(text):
        for parse in (parse_impi, parse_impu):
            with contextlib.suppress(InvalidIdentity):
                assert parse(parse(text)) == parse(text)

    repeat(once, SHARE)


def test_a_nonce_is_taken_apart_or_refused(repeat):
    @ROUND
    @given(st.text(max_size=200))
    def once(text):
        try:
            rand, autn, _ = decode_nonce(text)
        except InvalidChallenge:
            return
        assert (len(rand), len(autn)) == (16, 16)

    repeat(once, SHARE)
