"""``/ready`` of the running program: a database that does not answer, or is away, and back, without a restart."""

import time
from typing import Any

import httpx2
import pytest

STORE = "urn:mc-migration:problem:store-unavailable"
PROXIES = "urn:mc-migration:problem:no-diameter-proxy"


class Ready:
    """What ``/ready`` says."""

    def __init__(self, program: Any, lab: Any) -> None:
        context = lab.context(lab.credentials("stranger.mc2.lab"))
        self._http = httpx2.Client(base_url=f"https://{program.listen[0]}", verify=context, timeout=30)

    def problem(self) -> dict[str, Any]:
        answer = self._http.get("/ready")
        assert answer.status_code == 503  # no proxy is connected in these tests
        return dict(answer.json())

    def wait_for(self, kind: str) -> dict[str, Any]:
        deadline = time.monotonic() + 20
        while (problem := self.problem())["type"] != kind:
            assert time.monotonic() < deadline, problem
            time.sleep(0.05)
        return problem

    def close(self) -> None:
        self._http.close()


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_a_store_that_does_not_answer_is_given_up_in_time(program: Any, lab: Any) -> None:
    """Somebody holds the table of the schema's version: the question for it is inside the bound, as the write is."""
    lab.configure(**{"busy_timeout_s = 0.5": "busy_timeout_s = 30.0"})
    program.call("upgrade")
    program.start()
    ready = Ready(program, lab)
    with lab.database.connect() as connection, connection.begin():
        connection.exec_driver_sql("LOCK TABLE alembic_version")
        began = time.monotonic()
        assert "no write within 2 s" in ready.wait_for(STORE)["detail"]
        assert time.monotonic() - began < 10
    ready.wait_for(PROXIES)
    ready.close()


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_a_database_that_is_away_is_not_ready_until_it_is_back(program: Any, lab: Any, postgresql: Any) -> None:
    program.call("upgrade")
    program.start()
    ready = Ready(program, lab)
    ready.wait_for(PROXIES)
    postgresql.control("stop", "--mode", "immediate")
    try:
        began = time.monotonic()
        assert ready.wait_for(STORE)["detail"].startswith("store: ")
        assert time.monotonic() - began < 15
    finally:
        postgresql.control("start")
    ready.wait_for(PROXIES)
    ready.close()
