import { setImmediate } from "node:timers/promises";
import { describe, expect, it, vi } from "vitest";
import { AutoPipeline } from "../../../src/connection/glide/auto-pipeline.js";
import type { Command, Reply } from "../../../src/core/connection.js";

/** Answers each command with its first argument, in a turn of its own. */
function createPipeline() {
  const sent = vi.fn(async (commands: readonly Command[], _text: boolean): Promise<Reply[]> => {
    await setImmediate();
    return commands.map(([, argument = ""]) => String(argument));
  });
  return { sent, pipeline: new AutoPipeline(sent) };
}

const gets = (count: number, name = "key") => Array.from({ length: count }, (_, i): Command => ["GET", `${name} ${i}`]);
const sizes = (sent: ReturnType<typeof createPipeline>["sent"]) => sent.mock.calls.map(([commands]) => commands.length);

describe("auto-pipelining", () => {
  it("sends the commands of one turn as one batch, and each gets its own reply", async () => {
    const { sent, pipeline } = createPipeline();
    const replies = await Promise.all(gets(100).map((command) => pipeline.send([command], true)));
    expect(replies).toEqual(Array.from({ length: 100 }, (_, i) => [`key ${i}`]));
    expect(sizes(sent)).toEqual([100]);
  });

  it("keeps the commands of a call together, and takes no call of many", async () => {
    const { sent, pipeline } = createPipeline();
    const reads = gets(100).map((command): Command[] => [command, ["PTTL", `left of ${command[1]}`]]);
    const replies = await Promise.all(reads.map((commands) => pipeline.send(commands, true)));
    expect(replies).toEqual(Array.from({ length: 100 }, (_, i) => [`key ${i}`, `left of key ${i}`]));
    expect(sizes(sent)).toEqual([128, 72]);
    expect([pipeline.accepts(gets(2)), pipeline.accepts(gets(3))]).toEqual([true, false]);
  });

  it("sends a few commands one by one", async () => {
    const { sent, pipeline } = createPipeline();
    const replies = await Promise.all(gets(2).map((command) => pipeline.send([command], true)));
    expect(replies).toEqual([["key 0"], ["key 1"]]);
    expect(sizes(sent)).toEqual([1, 1]);
  });

  it("splits very many commands into several batches", async () => {
    const { sent, pipeline } = createPipeline();
    await Promise.all(gets(300).map((command) => pipeline.send([command], true)));
    expect(sizes(sent)).toEqual([128, 128, 44]);
  });

  it("keeps the order of commands with different decoders", async () => {
    const { sent, pipeline } = createPipeline();
    const all = [...gets(40, "a"), ...gets(3, "b"), ...gets(40, "c"), ...gets(1, "d")];
    const isText = ([, name]: Command) => /^[ac]/.test(String(name));
    const replies = await Promise.all(all.map((command) => pipeline.send([command], isText(command))));
    expect(replies).toEqual(all.map(([, name]) => [name]));
    expect(sent.mock.calls.flatMap(([commands]) => commands)).toEqual(all);
    for (const [commands, text] of sent.mock.calls) expect(commands.every((one) => isText(one) === text)).toBe(true);
  });

  it("sends the commands of different turns in different batches", async () => {
    const { sent, pipeline } = createPipeline();
    await Promise.all(gets(40).map((command) => pipeline.send([command], true)));
    await Promise.all(gets(40).map((command) => pipeline.send([command], true)));
    expect(sizes(sent)).toEqual([40, 40]);
  });

  it("sends queued commands once when it is flushed", async () => {
    const { sent, pipeline } = createPipeline();
    const replies = Promise.all(gets(3).map((command) => pipeline.send([command], true)));
    pipeline.flush();
    expect(sent).toHaveBeenCalledTimes(3);
    await replies;
    expect(sent).toHaveBeenCalledTimes(3);
  });

  it("rejects long commands, and all commands while replies are long", () => {
    const { pipeline } = createPipeline();
    const long = "x".repeat(20_000);
    expect(pipeline.accepts([["SET", "a", "1"]])).toBe(true);
    expect(pipeline.accepts([["SET", "a", long]])).toBe(false);
    expect(pipeline.accepts([["SET", "a", Buffer.from(long)]])).toBe(false);
    expect(pipeline.accepts([["MGET", ...Array.from({ length: 100 }, (_, i) => `key ${i}`)]])).toBe(false);
    pipeline.recordReply(Buffer.from(long));
    expect(pipeline.accepts([["GET", "a"]])).toBe(false);
    pipeline.recordReply("short");
    expect(pipeline.accepts([["GET", "a"]])).toBe(true);
  });

  it("rejects all commands of a batch that fails", async () => {
    const pipeline = new AutoPipeline(() => Promise.reject(new Error("lost")));
    const ends = await Promise.allSettled(gets(50).map((command) => pipeline.send([command], true)));
    expect(ends.every((end) => end.status === "rejected" && end.reason.message === "lost")).toBe(true);
  });
});
