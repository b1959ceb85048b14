"""Tables of a topology that do not fit together: one line with file, place and mend, for each rule."""

import tomllib
from pathlib import Path

import pytest
from pydantic import ValidationError

from lab.topology import DEFAULT_FILE, Topology, TopologyError, load_topology
from lab.topology_rules import ROLES, check_topology_rules, refusal_of

TEXT = DEFAULT_FILE.read_text()
ALL_ROLES = ", ".join(ROLES)
MC2_PLMN = 'plmn = "00102"'

# fmt: off
REFUSED = [
    ('scscf = 12\n', "", f"roles: no scscf; every system has {ALL_ROLES}, each with a last octet"),
    ('idms = 18\n', "idms = 18\nabacus = 40\n", f"roles.abacus: no such role; there are {ALL_ROLES}"),
    ("10.77.2.0/24", "10.77.0.0/16",
     "systems.mc2.network: 10.77.0.0/16 overlaps 10.77.1.0/24 of mc1; each needs one of its own"),
    ("10.77.1.0/24", "10.78.0.0/16", "systems.mc1.network: 10.78.0.0/16: wanted 24 bits, as 10.77.1.0/24"),
    ("10.77.2.0/24", "10.77.2.1/24", "systems.mc2.network: wanted an IPv4 network, as 10.77.1.0/24"),
    ("10.77.2.0/24", "127.0.0.0/24", "systems.mc2.network: no host can have 127.0.0.0/24; take one as 10.77.1.0/24"),
    ('"ims.mc2.lab"', '"ims.mc1.lab"', "systems.mc2.home_domain: ims.mc1.lab is that of mc1 already"),
    ('"00102"', '"00101"', "systems.mc2.plmn: 00101 is that of mc1 already"),
    ("[systems.mc1.agreements.mc3]", "[systems.mc1.agreements.mc1]",
     "systems.mc1.agreements.mc1: an agreement is with another system"),
    ("[systems.mc1.agreements.mc3]", "[systems.mc1.agreements.mc33]",
     "systems.mc1.agreements.mc33: no system mc33; there are mc2, mc3"),
    ('system = "mc2"', 'system = "mc9"', "users.bob.system: no system mc9; there are mc1, mc2, mc3"),
    ('user = "bob"', 'user = "rob"', "ues.ue3.user: no user rob; there are alice, carol, bob"),
    ("octet = 22", "octet = 12", "octet 12 stands twice in roles and ues; 22 is free"),
    ("octet = 22", "octett = 22", "ues.ue2.octett: no such setting; did you mean octet?"),
    ("octet = 22", "octet = 22\nzzzz = 1",
     "ues.ue2.zzzz: no such setting; there are user, octet, isim_of, wrong_key, transport"),
    (MC2_PLMN, MC2_PLMN + '\naddresses = {mms = "192.0.2.9"}',
     "systems.mc2.addresses.mms: 192.0.2.9 is not in 10.77.2.0/24"),
    (MC2_PLMN, MC2_PLMN + '\naddresses = {mms = "10.77.2.17"}',
     "systems.mc2: address of cms: 10.77.2.17 is that of mms already"),
    (MC2_PLMN, MC2_PLMN + '\naddresses = {mmz = "10.77.2.9"}', "systems.mc2.addresses: no role or UE mmz; there are "),
    (MC2_PLMN, MC2_PLMN + "\nmax_map_age_s = inf", "systems.mc2.max_map_age_s: Input should be a finite number"),
    (MC2_PLMN, MC2_PLMN + '\nelsewhere = ["hsss"]', "systems.mc2.elsewhere: no role hsss; there are "),
    (MC2_PLMN, MC2_PLMN + '\nnames = {mms = "a.lab", cms = "a.lab"}',
     "systems.mc2.names.cms: a.lab is that of mms already"),
    ("sip:bob@mc2.lab", "sip:alice@mc1.lab", "users.bob.mc_service_ids: sip:alice@mc1.lab is that of alice already"),
    ("sip:bob@ims.mc2.lab", "sip:alice@ims.mc1.lab", "users.bob.isim: sip:alice@ims.mc1.lab is that of alice already"),
    ("001020000000001@ims.mc2.lab", "001010000000001@ims.mc1.lab",
     "users.bob.isim: 001010000000001@ims.mc1.lab is that of alice already"),
    ("mig-h9t4vzn2qx6dw0pkj5cb", "mig-p5xw0c8jr3kd7qhz1vtn",
     "users.carol.migration_sets: mig-p5xw0c8jr3kd7qhz1vtn@ims.mc1.lab is that of alice already"),
    ('k = "465b5ce8b199b49faa5f0a2ee238a6bc"', 'k = "465b"',
     "users.alice.k: wanted 32 hexadecimal digits, letters small"),
    ("[systems.mc3]", "[systems.MC3]",
     "systems.MC3: wanted a small letter, then seven small letters and digits at the most"),
]
# fmt: on


@pytest.mark.parametrize(("there", "instead", "said"), REFUSED, ids=[said[:60] for _, _, said in REFUSED])
def test_a_mistake_is_refused_with_its_place_and_its_mend(tmp_path: Path, there: str, instead: str, said: str) -> None:
    assert there in TEXT
    file = tmp_path / "own.toml"
    file.write_text(TEXT.replace(there, instead))
    with pytest.raises(TopologyError) as refused:
        load_topology(file)
    assert str(refused.value).startswith(f"own.toml: {said}")
    assert "\n" not in str(refused.value)


def test_no_system_and_no_users_table_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    for text, said in (
        ("", "roles: missing"),
        (TEXT.split("[systems.mc1]")[0] + "[systems]\n[users]\n", "systems: wanted"),
    ):
        file.write_text(text)
        with pytest.raises(TopologyError, match=f"^own.toml: {said}"):
            load_topology(file)
    file.write_bytes(b"# \xff")
    with pytest.raises(TopologyError, match=r"^own.toml: octet 2 is no UTF-8; save the file as UTF-8$"):
        load_topology(file)


def test_two_roles_outside_the_lab_may_be_one_host() -> None:
    """A core that is not the lab's has its CSCFs where it has them."""
    raw = tomllib.loads(TEXT)
    raw["systems"]["mc2"] |= {
        "elsewhere": ["icscf", "scscf"],
        "addresses": {"icscf": "10.77.2.50", "scscf": "10.77.2.50"},
        "names": {"icscf": "cscf.mc2.lab", "scscf": "cscf.mc2.lab"},
    }
    check_topology_rules(Topology.model_validate(raw), {"probe": 19})


def test_a_mistyped_setting_is_named_before_what_is_missing_for_it() -> None:
    with pytest.raises(ValidationError) as refused:
        Topology.model_validate({"rolls": {}, "systems": {}, "users": {}})
    assert refusal_of(refused.value, Topology) == "rolls: no such setting; did you mean roles?"
