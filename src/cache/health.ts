import type { Command, Connection, ConnectionStatus, Reply } from "../core/connection.js";
import { ConnectionError, ReplyError, TimeoutError } from "../core/errors.js";
import { toText } from "../core/text.js";
import type { NearHealth } from "../near/port.js";

/** The state of a connection, as `health` returns it. */
export interface Health {
  /**
   * The state of the circuit breaker. `"closed"`: the store replies. `"idle"`: no connection is open. `"open"`: the store
   * failed, and calls fail at once for a moment. `"half-open"`: the store failed, and one call tries whether it is back.
   */
  readonly state: ConnectionStatus["state"];
  /** The last error; absent when the store replies. */
  readonly lastError?: Error;
  /** What carries the commands: `"valkey-glide"`, `"iovalkey"` or `"memory"`; absent while no connection is open. */
  readonly transport?: string;
  /** The name of the server, such as `"valkey"` or `"redis"`; absent where the server did not say. */
  readonly server?: string;
  /** The version of the server, such as `"8.0.1"`; absent where the server did not say. */
  readonly version?: string;
  /** The role of the server that replied; absent where the server did not say. */
  readonly role?: "primary" | "replica";
  /** `"sentinel"`: sentinels say which server it is. Absent where the server did not say. */
  readonly topology?: "standalone" | "cluster" | "sentinel";
  /** The commands that the server or its ACL refused to this user in the last five minutes; absent when it refused none. */
  readonly unavailable?: readonly string[];
  /** How the near cache hears of changes, and what it holds; absent where there is none. */
  readonly nearCache?: NearHealth;
  /** Duration of a round trip with a PING, in milliseconds; absent when there was no reply, or no PING was sent. */
  readonly roundTripMs?: number;
}

type Identity = Pick<Health, "server" | "version" | "role" | "topology">;

/** Sends a PING, unless the circuit breaker is open. @throws {ConnectionError} when the connection was closed */
export async function health(connection: Connection): Promise<Health> {
  const outcome = connection.status().state === "open" ? undefined : await ask(connection);
  const { lastError, refusals: _, ...status } = connection.status();
  if (outcome && !(outcome instanceof Error)) return { ...outcome, ...status };
  const error = outcome ?? lastError;
  return { ...status, ...(error === undefined ? {} : { lastError: error }) };
}

/** Connections to proxies that end the connection on HELLO. */
const withoutHello = new WeakSet<Connection>();

const READ = { readOnly: true };
const INFO: readonly Command[] = [
  ["INFO", "server"],
  ["INFO", "replication"],
];

/** What the server says of itself, in the round trip of a PING, or why there was no reply. */
async function ask(connection: Connection): Promise<Omit<Health, "state"> | Error> {
  const startMs = performance.now();
  try {
    const asksHello = !withoutHello.has(connection);
    // HELLO without arguments changes nothing. INFO, which ACLs may refuse, is for servers that lack it.
    const [pong = null, hello = null] = await connection.send(asksHello ? [["PING"], ["HELLO"]] : [["PING"]], READ);
    const roundTripMs = performance.now() - startMs;
    if (pong instanceof ReplyError) return pong;
    if (!asksHello) return { roundTripMs };
    const fields = Array.isArray(hello) ? toFields(hello) : infoOf(await connection.send(INFO, READ));
    return { ...toIdentity(fields), roundTripMs };
  } catch (error) {
    const isLost = error instanceof ConnectionError && error.mayHaveRun && !(error instanceof TimeoutError);
    if (isLost && !withoutHello.has(connection)) {
      withoutHello.add(connection);
      const again = await ask(connection);
      // The server is gone, and HELLO was not the reason.
      if (again instanceof Error) withoutHello.delete(connection);
      return again;
    }
    if (error instanceof ConnectionError || error instanceof ReplyError) return error;
    throw error;
  }
}

/** The fields of HELLO: pairs, or flat under RESP2. */
function toFields(hello: Reply[]): Map<string, string> {
  const flat = hello.flat(1).map(textOf);
  return new Map(flat.flatMap((name, i) => (i % 2 === 0 ? [[name, flat[i + 1] ?? ""] as const] : [])));
}

function infoOf(replies: readonly Reply[]): Map<string, string> {
  const lines = replies.map(textOf).join("\n").split(/\r?\n/);
  const info = new Map(lines.map((line) => [line.split(":", 1)[0] ?? "", line.slice(line.indexOf(":") + 1)]));
  const version = info.get("valkey_version") ?? info.get("redis_version");
  const server = info.get("server_name") ?? (version && "redis");
  return new Map(
    Object.entries({
      server,
      version,
      mode: info.get("redis_mode") ?? info.get("server_mode"),
      role: info.get("role"),
    }).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}

function toIdentity(fields: ReadonlyMap<string, string>): Identity {
  const [server, version, mode, role] = ["server", "version", "mode", "role"].map((name) => fields.get(name));
  return {
    ...(server && { server }),
    ...(version && { version }),
    ...(role && { role: role === "master" || role === "primary" ? "primary" : "replica" }),
    ...((mode === "standalone" || mode === "cluster") && { topology: mode }),
  };
}

function textOf(reply: Reply): string {
  return reply instanceof Uint8Array ? toText(reply) : String(reply ?? "");
}
