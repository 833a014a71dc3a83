import { setImmediate } from "node:timers/promises";
import { describe, expect, it, vi } from "vitest";
import { AutoPipeline } from "../../src/connection/glide/auto-pipeline.js";
import type { Command, Reply } from "../../src/core/connection.js";

/** Answers each command with its first argument, in a turn of its own. */
function createPipeline() {
  let underway = 0;
  const sent = vi.fn(async (commands: readonly Command[], _text: boolean): Promise<Reply[]> => {
    underway++;
    await setImmediate();
    underway--;
    return commands.map(([, argument = ""]) => String(argument));
  });
  return { sent, pipeline: new AutoPipeline(() => underway === 0, sent) };
}

const gets = (count: number, name = "key") => Array.from({ length: count }, (_, i): Command => ["GET", `${name} ${i}`]);
const sizes = (sent: ReturnType<typeof createPipeline>["sent"]) => sent.mock.calls.map(([commands]) => commands.length);

describe("commands of one turn", () => {
  it("are one message after the first when they are many, and each gets its own reply", async () => {
    const { sent, pipeline } = createPipeline();
    const replies = await Promise.all(gets(100).map((command) => pipeline.send(command, true)));
    expect(replies).toEqual(Array.from({ length: 100 }, (_, i) => [`key ${i}`]));
    expect(sizes(sent)).toEqual([1, 99]);
  });

  it("are sent at once by a lone caller", async () => {
    const { sent, pipeline } = createPipeline();
    const reply = pipeline.send(["GET", "a"], true);
    expect(sent).toHaveBeenCalledTimes(1);
    expect(await reply).toEqual(["a"]);
  });

  it("are sent one by one when they are few", async () => {
    const { sent, pipeline } = createPipeline();
    const replies = await Promise.all(gets(2).map((command) => pipeline.send(command, true)));
    expect(replies).toEqual([["key 0"], ["key 1"]]);
    expect(sizes(sent)).toEqual([1, 1]);
  });

  it("are several messages when they are very many", async () => {
    const { sent, pipeline } = createPipeline();
    await Promise.all(gets(300).map((command) => pipeline.send(command, true)));
    expect(sizes(sent)).toEqual([1, 128, 128, 43]);
  });

  it("keep their order, however they are to be decoded", async () => {
    const { sent, pipeline } = createPipeline();
    const all = [...gets(40, "a"), ...gets(3, "b"), ...gets(40, "c"), ...gets(1, "d")];
    const isText = ([, name]: Command) => /^[ac]/.test(String(name));
    const replies = await Promise.all(all.map((command) => pipeline.send(command, isText(command))));
    expect(replies).toEqual(all.map(([, name]) => [name]));
    expect(sent.mock.calls.flatMap(([commands]) => commands)).toEqual(all);
    for (const [commands, text] of sent.mock.calls) expect(commands.every((one) => isText(one) === text)).toBe(true);
  });

  it("of different turns are different messages", async () => {
    const { sent, pipeline } = createPipeline();
    await Promise.all(gets(40).map((command) => pipeline.send(command, true)));
    await Promise.all(gets(40).map((command) => pipeline.send(command, true)));
    expect(sizes(sent)).toEqual([1, 39, 1, 39]);
  });

  it("are sent at once on request, and not twice", async () => {
    const { sent, pipeline } = createPipeline();
    const replies = Promise.all(gets(3).map((command) => pipeline.send(command, true)));
    pipeline.flush();
    expect(sent).toHaveBeenCalledTimes(3);
    await replies;
    expect(sent).toHaveBeenCalledTimes(3);
  });

  it("are not joined when they are long, nor while replies are", () => {
    const { pipeline } = createPipeline();
    const long = "x".repeat(20_000);
    expect(pipeline.accepts(["SET", "a", "1"])).toBe(true);
    expect(pipeline.accepts(["SET", "a", long])).toBe(false);
    expect(pipeline.accepts(["SET", "a", Buffer.from(long)])).toBe(false);
    expect(pipeline.accepts(["MGET", ...Array.from({ length: 100 }, (_, i) => `key ${i}`)])).toBe(false);
    pipeline.recordReply(Buffer.from(long));
    expect(pipeline.accepts(["GET", "a"])).toBe(false);
    pipeline.recordReply("short");
    expect(pipeline.accepts(["GET", "a"])).toBe(true);
  });

  it("all hear of a failure", async () => {
    const pipeline = new AutoPipeline(
      () => false,
      () => Promise.reject(new Error("lost")),
    );
    const ends = await Promise.allSettled(gets(50).map((command) => pipeline.send(command, true)));
    expect(ends.every((end) => end.status === "rejected" && end.reason.message === "lost")).toBe(true);
  });
});
