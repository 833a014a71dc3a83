import { expect, it } from "vitest";
import { ReplyError } from "../../../src/core/errors.js";
/** Keys of one slot, so that one command may name several of them in a cluster, too. */
export const [a, b, c] = ["{slot}a", "{slot}b", "{slot}c"];
/** A test that sends all rows' commands in one flight, and compares the replies. */
export function answers(subject, title, rows) {
    it(title, async () => {
        const commands = rows.map(([command]) => command);
        const replies = await subject().connection.send(commands);
        const seen = commands.map((command, index) => [command.map(String).join(" "), plainReply(command, replies[index])]);
        expect(seen).toEqual(rows.map(([command, reply]) => [command.map(String).join(" "), reply]));
    });
}
/** A bulk string of this text, or of these bytes. */
export function bulk(content) {
    return { bulk: Buffer.from(content).toString("latin1") };
}
export function refused(code) {
    return { refused: code };
}
export function between(low, high) {
    return expect.toSatisfy((value) => typeof value === "number" && value >= low && value <= high);
}
/** A reply that tells its kind, and reads well in a failed comparison. */
export function plain(reply) {
    if (reply instanceof ReplyError)
        return refused(reply.code);
    if (reply instanceof Uint8Array)
        return { bulk: Buffer.from(reply).toString("latin1") };
    return Array.isArray(reply) ? reply.map(plain) : reply;
}
const UNORDERED = /^(SMEMBERS|SDIFF|SINTER|SUNION|SPOP|SRANDMEMBER|HGETALL|HKEYS|HVALS)$/;
/** Where the server promises no order, rows list the elements in that of their text. */
function plainReply([name], reply) {
    const shown = plain(reply);
    if (!Array.isArray(shown) || !UNORDERED.test(name))
        return shown;
    return shown.sort((one, other) => (JSON.stringify(one) < JSON.stringify(other) ? -1 : 1));
}
