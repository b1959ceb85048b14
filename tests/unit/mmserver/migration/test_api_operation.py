"""CSC-X for whoever operates."""

import httpx2
from fastapi import FastAPI

from mmserver.migration.agreements import Agreements
from mmserver.migration.api_operation import agreements_router, reload_router
from mmserver.migration.reload import Reloaded


async def test_a_reload_says_what_is_in_force_and_what_waits(make_config) -> None:
    asked: list[str] = []

    async def reload(actor: str) -> Reloaded:
        asked.append(actor)
        return Reloaded(("mc1",), 3, 4, ("lifetime",))

    app = FastAPI()
    app.include_router(reload_router(reload))
    app.include_router(agreements_router(Agreements(make_config().partners)))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://mms") as client:
        done = (await client.post("/csc-x/v1/reload")).json()
        assert done == {"partners": ["mc1"], "primary_sets": 3, "partner_sets": 4, "need_restart": ["lifetime"]}
        assert asked == ["nobody"]
        listed = (await client.get("/csc-x/v1/agreements")).json()
    assert listed[0] == {
        "name": "mc1",
        "realms": ["ims.mc1.lab"],
        "migration_management_servers": ["mms.mc1.lab"],
        "services": ["mcptt", "mcvideo", "mcdata"],
    }
