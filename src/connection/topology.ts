import type { Connection, Reply } from "../core/connection.js";
import { ReplyError } from "../core/errors.js";
import { toText } from "../core/text.js";

/** Sentinels have few commands, and not those of a cache. */
const UNKNOWN = /^unknown command/i;
const CLUSTER = /^(?:MOVED|ASK|CROSSSLOT|CLUSTERDOWN)$/;

const sentinels = new WeakMap<Connection, Promise<boolean>>();

/** Adds the right connection factory to a refusal that shows that this one is wrong. */
export async function nameFactory(reply: ReplyError, connection: Connection): Promise<ReplyError> {
  const remedy = CLUSTER.test(reply.code)
    ? "a cluster needs the connection factory glideCluster()"
    : UNKNOWN.test(reply.detail) && (await isSentinel(connection))
      ? "this is a sentinel, so give its address to the connection factory sentinel()"
      : undefined;
  if (remedy === undefined) return reply;
  return new ReplyError(reply.code, `${reply.detail.trim()}; ${remedy}`, { cause: reply });
}

/** Asked once for each connection. */
function isSentinel(connection: Connection): Promise<boolean> {
  const known = sentinels.get(connection);
  if (known) return known;
  const asked = connection.send([["ROLE"]], { readOnly: true }).then(
    ([role]) => Array.isArray(role) && textOf(role[0] ?? null) === "sentinel",
    () => false,
  );
  sentinels.set(connection, asked);
  return asked;
}

function textOf(reply: Reply): string {
  return reply instanceof Uint8Array ? toText(reply) : String(reply);
}
