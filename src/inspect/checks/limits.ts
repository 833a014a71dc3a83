import { LIBRARY } from "../../connection/client-info.js";
import { ReplyError } from "../../core/errors.js";
import type { Check } from "./check.js";
import { counted, type Diagnosis, duration, figure, note, ok, percent, Skip, warning } from "./finding.js";
import { at, type ServerInfo, type Subject, textOf } from "./subject.js";

/** CLIENT LIST takes about 400 bytes for each client. */
const MAX_LISTED = 2_000;
const CROWDED = 0.8;

/** Whether the server has room for more connections. */
export const clients: Check = {
  name: "clients",
  needsServer: true,
  async run(subject) {
    const servers = await subject.info();
    const own = await ownClients(subject, servers);
    return servers.map((server) => {
      const diagnosis = clientsOf(server, own);
      return { ...diagnosis, found: at(server, diagnosis.found) };
    });
  },
};

function clientsOf(server: ServerInfo, own: string): Diagnosis {
  const [connected, limit] = [server.number("connected_clients"), server.number("maxclients")];
  if (connected === undefined) throw new Skip("INFO has nothing on clients");
  const [blocked = 0, rejected = 0] = [server.number("blocked_clients"), server.number("rejected_connections")];
  const found = [
    `${counted(connected, "client")}${limit === undefined ? "" : ` of ${figure(limit)}`}${own}`,
    ...(blocked > 0 ? [`${figure(blocked)} blocked`] : []),
    ...(rejected > 0 ? [`${figure(rejected)} connections were refused since the start`] : []),
  ].join(", ");
  const remedy =
    'raise "maxclients", or close connections that are not used ("CLIENT LIST" has their age and idle time)';
  if (limit !== undefined && connected > CROWDED * limit) {
    return warning(
      found,
      `${percent(connected / limit)} of the connections are in use: beyond maxclients, new ones are refused.`,
      remedy,
    );
  }
  if (rejected > 0) return note(found, "At some time there were as many clients as maxclients allows.", remedy);
  return ok(found, "There is room for more connections.");
}

/** How many of them are of this library; empty where it is not known. */
async function ownClients(subject: Subject, servers: readonly ServerInfo[]): Promise<string> {
  const connected = servers.map((server) => server.number("connected_clients") ?? Number.POSITIVE_INFINITY);
  // In a cluster one node answers, and it isn't known which.
  if (servers.length > 1 || connected.some((count) => count > MAX_LISTED)) return "";
  const [reply = null] = await subject.askAll([["CLIENT", "LIST"]]);
  if (reply instanceof ReplyError) return "";
  const lines = textOf(reply).split("\n");
  const own = lines.filter((line) => line.includes(` lib-name=${LIBRARY.name} `)).length;
  const name = subject.settings.about?.clientName;
  const named =
    name === undefined ? "" : `, ${lines.filter((line) => line.includes(` name=${name} `)).length} named ${name}`;
  return ` (${own} of this library${named})`;
}

/** What ends idle connections. */
export const timeouts: Check = {
  name: "timeouts",
  needsServer: true,
  async run(subject) {
    const settings = await subject.config("timeout", "tcp-keepalive");
    const idleMs = Number(settings?.get("timeout") ?? Number.NaN) * 1_000;
    const keepaliveMs = Number(settings?.get("tcp-keepalive") ?? Number.NaN) * 1_000;
    if (Number.isNaN(idleMs) || Number.isNaN(keepaliveMs))
      throw new Skip("the server doesn't say what its timeouts are");
    const { maxIdleMs = Number.POSITIVE_INFINITY } = subject.settings.about ?? {};
    const maxIdle = maxIdleMs === Number.POSITIVE_INFINITY ? "null" : duration(maxIdleMs);
    const found = `timeout ${idleMs === 0 ? "0 (never)" : duration(idleMs)}, tcp-keepalive ${duration(keepaliveMs)}, maxIdle ${maxIdle}`;
    if (idleMs > 0 && idleMs <= maxIdleMs) {
      return [
        note(
          found,
          "The server closes idle connections before the library does: the first call after that opens a new one, and a write may fail.",
          `give maxIdle less than ${idleMs / 1_000} seconds, or run "CONFIG SET timeout 0"`,
        ),
      ];
    }
    if (keepaliveMs === 0) {
      return [
        note(
          found,
          "Connections whose client is gone stay until they are written to.",
          'run "CONFIG SET tcp-keepalive 300"',
        ),
      ];
    }
    return [ok(found, "Connections that are not used end in order.")];
  },
};
