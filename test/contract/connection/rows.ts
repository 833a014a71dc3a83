import { expect, it } from "vitest";
import type { Command, Reply } from "../../../src/core/connection.js";
import { ReplyError } from "../../../src/core/errors.js";
import type { ConnectionSubject } from "../connection.js";

/** Keys of one slot, so that one command may name several of them in a cluster, too. */
export const [a, b, c] = ["{slot}a", "{slot}b", "{slot}c"] as const;

/** A command, and the reply to it in the form that `plain` gives. */
export type Row = readonly [command: Command, reply: unknown];

/** A test that sends all rows' commands in one round trip, and compares the replies. */
export function answers(subject: () => ConnectionSubject, title: string, rows: readonly Row[]): void {
  it(title, async () => {
    const commands = rows.map(([command]) => command);
    const replies = await subject().connection.send(commands);
    const seen = commands.map((command, index) => [command.map(String).join(" "), plainReply(command, replies[index])]);
    expect(seen).toEqual(rows.map(([command, reply]) => [command.map(String).join(" "), reply]));
  });
}

/** A bulk string of this text, or of these bytes. */
export function bulk(content: string | readonly number[]): { bulk: string } {
  return { bulk: Buffer.from(content as string).toString("latin1") };
}

export function refused(code: string): { refused: string } {
  return { refused: code };
}

export function between(low: number, high: number): unknown {
  return expect.toSatisfy((value: unknown) => typeof value === "number" && value >= low && value <= high);
}

/** A reply that tells its kind, and reads well in a failed comparison. */
export function plain(reply: Reply | undefined): unknown {
  if (reply instanceof ReplyError) return refused(reply.code);
  if (reply instanceof Uint8Array) return { bulk: Buffer.from(reply).toString("latin1") };
  return Array.isArray(reply) ? reply.map(plain) : reply;
}

const UNORDERED = /^(SMEMBERS|SDIFF|SINTER|SUNION|SPOP|SRANDMEMBER|HGETALL|HKEYS|HVALS)$/;

/** Where the server promises no order, rows list the elements in that of their text. */
function plainReply([name]: Command, reply: Reply | undefined): unknown {
  const shown = plain(reply);
  if (!Array.isArray(shown) || !UNORDERED.test(name)) return shown;
  return shown.sort((one, other) => (JSON.stringify(one) < JSON.stringify(other) ? -1 : 1));
}
