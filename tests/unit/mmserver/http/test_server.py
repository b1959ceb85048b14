"""The HTTP server as one part of a process."""

import json
import ssl

import pytest

from mmserver.http.server import HttpServer, ListenFailed, announce_ready


def test_the_ready_line_is_one_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    announce_ready(["127.0.0.1:443", "127.0.0.1:3868"])
    assert json.loads(capsys.readouterr().out) == {"event": "ready", "listen": ["127.0.0.1:443", "127.0.0.1:3868"]}


async def test_an_address_that_is_not_ours_is_said_so() -> None:
    server = HttpServer(None, address="192.0.2.1", port=0, context=ssl.create_default_context())
    with pytest.raises(ListenFailed, match=r"192\.0\.2\.1:0: "):
        await server.start()
