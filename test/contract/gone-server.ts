import type { Connection } from "../../src/core/connection.js";
import { throwIfError } from "../../src/core/errors.js";
import { toText } from "../../src/core/text.js";

/**
 * Makes a server one that is gone, for all but this connection: others are cut off, and new ones refused. It is back, with
 * what it has, when this is disposed of.
 */
export async function goneServer(connection: Connection): Promise<AsyncDisposable> {
  const [reply] = await connection.send([["CONFIG", "GET", "port"]]);
  const port = Array.isArray(reply) ? reply.flat().at(-1) : undefined;
  if (!(port instanceof Uint8Array)) throw new Error(`the server tells no port: ${String(reply)}`);
  const set = async (to: string): Promise<void> => {
    const [answer = null] = await connection.send([["CONFIG", "SET", "port", to]]);
    throwIfError(answer);
  };
  await set("0");
  await connection.send([["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]]);
  return { [Symbol.asyncDispose]: () => set(toText(port)) };
}
