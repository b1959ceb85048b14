"""A process of its own that allocates partner sets as fast as it can; prints one handle a line."""

import asyncio
import secrets
import sys
import time
from pathlib import Path
from typing import Any

from mmserver.http.logs import configure_logs
from mmserver.messages import PartnerSipIdentitiesRequest
from mmserver.migration.config import load_config
from mmserver.migration.errors import Refusal
from mmserver.migration.server import MigrationManagementServer
from mmserver.migration.store import BindingStore


def request(user: str) -> PartnerSipIdentitiesRequest:
    body: dict[str, Any] = {
        "primary_mc_system": "mc1",
        "migration_management_server": "mms.mc1.lab",
        "primary_mc_system_sip_identities": {
            "private_user_identity": f"mig-{user}@ims.mc1.lab",
            "public_user_identities": [f"sip:mig-{user}@ims.mc1.lab"],
        },
        "mc_service_ids": [f"sip:{user}@mc1.lab"],
    }
    return PartnerSipIdentitiesRequest.model_validate(body)


async def work(config_file: Path, name: str, count: int) -> None:
    config = load_config(config_file)
    store = BindingStore(config.store.url, 10.0)
    server = MigrationManagementServer(config, store, clock=time.time, randomness=secrets.token_bytes)

    async def one(number: int) -> None:
        try:
            # Every second user is asked for by all workers at once.
            user = f"shared{number}" if number % 2 else f"{name}-{number}"
            binding = await server.get_partner_sip_identities(request(user), name)
            await server.confirm(binding.handle, "", name)
        except Refusal as exc:
            print(f"{exc.code}", flush=True)
            return
        print(f"{user} {binding.handle} {binding.identities.private_user_identity}", flush=True)

    async def several(first: int) -> None:
        for number in range(first, count, 3):
            await one(number)

    await asyncio.gather(*(several(first) for first in range(3)))
    await store.close()


if __name__ == "__main__":
    configure_logs(program="store-worker")
    asyncio.run(work(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
