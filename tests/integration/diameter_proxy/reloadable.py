"""A proxy of a file that a test writes anew, with an HSS behind it and an S-CSCF before it (D.4)."""

from diameter_proxy.config import load_config
from diameter_proxy.diameter import dictionary as d
from diameter_proxy.server import ProxyServer
from tests.integration.diameter_proxy import station

REALM, PROXY = "ims.mc1.lab", "proxy1.mc1.lab"
BOB = ("bob@ims.mc1.lab", "sip:bob@ims.mc1.lab")
NODE = '[node]\norigin_host = "proxy1.mc1.lab"\norigin_realm = "ims.mc1.lab"\nreconnect_s = 0.05\n'
LISTENER = '[[listeners]]\naddress = "127.0.0.1"\nport = 0\n'
ADMIN = '[admin]\nsocket = "admin.sock"\n'
PATIENT = "[budgets]\n" + "".join(f"{name} = {value}\n" for name, value in station.PATIENT.items())
PEER = '[[peers]]\nhost = "{host}.mc1.lab"\nrealm = "ims.mc1.lab"\ngroup = "{group}"\n'
HSS = PEER.format(host="{host}", group="hss") + 'connect = true\naddress = "127.0.0.1"\nport = {port}\n'
SCSCF, ICSCF = PEER.format(host="scscf", group="cscf"), PEER.format(host="icscf", group="cscf")


class Running:
    """A proxy of a file that can be written anew, an HSS behind it and an S-CSCF before it."""

    def __init__(self, lab, tools, folder):
        self.lab, self.tools, self.file = lab, tools, folder / "proxy.toml"

    async def start(self):
        self.hss = await self.lab.station("hss.mc1.lab", REALM, [PROXY])
        self.hss.answer = self.hss.multimedia_auth
        self.hss_row = HSS.format(host="hss", port=self.tools.port_of(self.hss.node))
        self.write(SCSCF)
        self.server = ProxyServer(load_config(self.file), self.file)
        await self.server.start()
        self.lab._stack.push_async_callback(self.server.stop)
        self.port = self.tools.port_of(self.server)
        self.scscf = await self.lab.station("scscf.mc1.lab", REALM, [PROXY], port=self.port)
        await self.lab.open(self.scscf, PROXY)
        await self.tools.until(lambda: self.server.node.is_open("hss.mc1.lab"))
        return self

    def write(self, *rows, node=NODE, listener=LISTENER, hss=None, admin=ADMIN):
        self.file.write_text(node + PATIENT + listener + (self.hss_row if hss is None else hss) + "".join(rows) + admin)

    async def relayed(self):
        answer = await self.scscf.ask(PROXY, self.scscf.mar(*BOB))
        return answer.get(d.RESULT_CODE)

    def opened(self, host):
        return self.server.node.peers[host].connections_opened
