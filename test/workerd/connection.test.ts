import { connect as dial } from "cloudflare:sockets";
import { inject } from "vitest";
import type { Connector } from "../../src/connection/connector.js";
import { iovalkey } from "../../src/connection/iovalkey-workerd.js";
import type { Invocation } from "../../src/core/invocation.js";
import { parseLocation } from "../../src/core/location.js";
import { connectionContract } from "../contract/connection.js";

const REQUEST: Invocation = { scope: "request", waitUntil: () => {}, signal: undefined };

const sockets: Connector = ({ host, port }) => dial({ hostname: host, port });

for (const [name, options] of [
  ["iovalkey in workerd", {}],
  ["iovalkey in workerd, through cloudflare:sockets", { connector: sockets }],
] as const) {
  connectionContract(name, async () => {
    const connect = () => iovalkey(options).connect(parseLocation(inject("flushableUrl")), REQUEST);
    const connection = connect();
    return { connection, other: async () => connect(), stop: () => connection.close() };
  });
}
