"""10.1.X.1 between two configuration and two migration management servers, all real processes over HTTPS."""

import pytest

DETAILS = "/csc-4/v1/partner-mc-system-connection-details"


def body(user: str = "alice", **changes: object) -> dict:
    return {
        "location_information": {"coordinates": {"latitude": 60.5, "longitude": 26.5}},
        "mc_service_ids": [f"sip:{user}@mc1.lab"],
        "default_identities": {
            "private_user_identity": f"{user}@ims.mc1.lab",
            "public_user_identities": [f"sip:{user}@ims.mc1.lab"],
        },
        **changes,
    }


@pytest.fixture
def systems(make_system):
    return make_system("mc1"), make_system("mc2")


@pytest.fixture
def mms(systems, start_mms):
    mc1, mc2 = systems
    return start_mms(mc1, mc1.write_mms(mc2)), start_mms(mc2, mc2.write_mms(mc1, user="bob"))


@pytest.fixture
def idms(systems, start):
    mc1, mc2 = systems
    return start("idms-mc1", "lab.systems.idms", "run", "--config", str(mc1.write_idms(mc2)))


@pytest.fixture
def cms(systems, start_cms, idms, mms):
    mc1, mc2 = systems
    return start_cms(mc1, mc1.write_cms(mc2)), start_cms(mc2, mc2.write_cms(mc1, user="bob"))


def ask(system, token: str | None = None, query: str = "", headers: dict | None = None, **changes: object):
    with system.client() as client:
        bearer = {"Authorization": f"Bearer {token or system.access_token()}"}
        return client.post(
            system.url("cms") + DETAILS + query, json=body(**changes), headers={**bearer, **(headers or {})}
        )


def bindings(system) -> list[dict]:
    with system.client("admin") as client:
        return client.get(system.url("mms") + "/csc-x/v1/bindings").json()


def test_a_user_gets_connection_details_and_both_sides_keep_the_binding(systems, cms) -> None:
    mc1, mc2 = systems
    answer = ask(mc1)
    assert answer.status_code == 200, answer.text
    details = answer.json()
    assert details["partner_mc_system"] == "mc2"
    assert details["initial_ue_configuration"]["home_domain"] == "ims.mc2.lab"
    lent = details["partner_mc_system_sip_identities"]
    assert lent["private_user_identity"].endswith("@ims.mc2.lab")
    (primary,), (partner,) = bindings(mc1), bindings(mc2)
    assert (primary["state"], partner["state"]) == ("allocated", "allocated")
    assert partner["identities"] == lent
    assert partner["counterpart"] == primary["identities"]
    assert "alice@ims.mc1.lab" not in str(partner)
    again = ask(mc1).json()
    assert again["partner_mc_system_sip_identities"] == lent
    assert len(bindings(mc1)) == len(bindings(mc2)) == 1
