import { type GlideOptions, glide, glideCluster } from "../../../src/connection/glide/factory.js";
import type { ConnectionFactory } from "../../../src/core/connection.js";
import { PROCESS } from "../../../src/core/connection.js";
import { parseLocation } from "../../../src/core/location.js";
import { connectionContract } from "../../contract/connection.js";
import { certificate, tlsArguments } from "../../support/certificates.js";
import { startCluster } from "../../support/cluster.js";
import { command } from "../../support/command.js";
import { freePort } from "../../support/ports.js";
import { startValkey, type ValkeyServer } from "../../support/servers.js";

interface Place {
  readonly url: string;
  readonly options?: GlideOptions;
}

function contract(name: string, place: (server: ValkeyServer) => Place | Promise<Place>, args: string[] = []): void {
  connectionContract(name, async () => {
    const server = await startValkey({ args });
    const { url, options } = await place(server);
    return subject(glide({ ...options }), url, () => server.stop());
  });
}

function subject(factory: ConnectionFactory, url: string, stop: () => Promise<void>, cluster = false) {
  const connection = factory.connect(parseLocation(url), PROCESS);
  return {
    connection,
    other: async () => factory.connect(parseLocation(url), PROCESS),
    cluster,
    async stop() {
      await connection.close();
      await stop();
    },
  };
}

contract("GLIDE over RESP2", ({ url }) => ({ url: `${url}?protocol=2` }));
contract("GLIDE over RESP3", ({ url }) => ({ url: `${url}?protocol=3` }));

const tlsPort = await freePort();
contract(
  "GLIDE over TLS, as an ACL user, in a database",
  async ({ port }) => {
    await command(port, ["ACL", "SETUSER", "app", "on", ">p@ss", "~*", "+@all"]);
    const options = { tls: { ca: certificate("ca.pem") }, username: "app", password: "p@ss" };
    return { url: `valkeys://localhost:${tlsPort}/5`, options };
  },
  tlsArguments(tlsPort),
);

connectionContract("GLIDE to a cluster over RESP3", async () => {
  // A separate server, as the suite flushes it.
  const cluster = await startCluster();
  const [first = ""] = cluster.url.split(",");
  return subject(glideCluster(), `${first}?protocol=3`, () => cluster.stop(), true);
});
