"""Every request is counted, by operation and status."""

from typing import Any

import pytest

from mmserver.http.metrics import Metrics
from mmserver.http.observation import Observation


class Route:
    """A route as FastAPI leaves it in the scope."""

    operation_id = "health"


async def counted(fail: bool = False) -> bytes:
    metrics = Metrics()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope["route"] = Route()
        if fail:
            raise OSError("gone")
        await send({"type": "http.response.start", "status": 204})

    async def nothing(*_: Any) -> None:
        return None

    try:
        await Observation(app, metrics=metrics)({"type": "http"}, nothing, nothing)  # type: ignore[arg-type]
    except OSError:
        assert fail
    return await metrics.expose()


@pytest.mark.parametrize(("fail", "status"), [(False, b"204"), (True, b"none")])
async def test_a_request_is_counted_also_when_it_fails(fail: bool, status: bytes) -> None:
    text = await counted(fail)
    assert b'http_requests_total{operation="health",status="%s"} 1.0' % status in text
    assert b'http_request_seconds_count{operation="health"} 1.0' in text


async def test_other_than_http_passes() -> None:
    passed: list[str] = []

    async def app(scope: Any, *_: Any) -> None:
        passed.append(scope["type"])

    await Observation(app, metrics=Metrics())({"type": "lifespan"}, None, None)  # type: ignore[arg-type]
    assert passed == ["lifespan"]
