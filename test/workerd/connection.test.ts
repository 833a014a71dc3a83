import { inject } from "vitest";
import { iovalkey } from "../../src/connection/iovalkey/workerd.js";
import { parseLocation } from "../../src/core/location.js";
import { connectionContract } from "../contract/connection.js";
import { REQUEST } from "./request.js";
import { sockets } from "./sockets.js";

for (const [name, options] of [
  ["iovalkey in workerd", {}],
  ["iovalkey in workerd, through cloudflare:sockets", { connector: sockets }],
] as const) {
  connectionContract(name, async () => {
    const connect = () => iovalkey(options).connect(parseLocation(inject("ownUrls").connection), REQUEST);
    const connection = connect();
    return { connection, other: async () => connect(), stop: () => connection.close() };
  });
}
