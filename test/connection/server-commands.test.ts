import { createHash } from "node:crypto";
import { describe, expect, it, vi } from "vitest";
import { ScriptRunner } from "../../src/connection/server-commands.js";
import type { Command, Reply, Script } from "../../src/core/connection.js";
import { ConnectionError, ReplyError } from "../../src/core/errors.js";

const script: Script = { name: "one", lua: "return 1", twin: () => 1 };
const sha = createHash("sha1").update(script.lua).digest("hex");
const noscript = () => new ReplyError("NOSCRIPT", "No matching script");

function runner(...replies: (Reply | Error)[]) {
  const send = vi.fn(async (_commands: readonly Command[], _options?: object): Promise<Reply[]> => {
    const reply = replies.shift() ?? 1;
    if (reply instanceof Error && !(reply instanceof ReplyError)) throw reply;
    return [reply];
  });
  return { send, scripts: new ScriptRunner(send) };
}

describe("a script", () => {
  it("is sent by its source the first time, and by its digest afterwards", async () => {
    const { send, scripts } = runner(1, 2, 3);
    for (const reply of [1, 2, 3]) expect(await scripts.run(script, ["k"], ["a", "b"])).toBe(reply);
    expect(send.mock.calls.map(([commands]) => commands)).toEqual([
      [["EVAL", script.lua, "1", "k", "a", "b"]],
      [["EVALSHA", sha, "1", "k", "a", "b"]],
      [["EVALSHA", sha, "1", "k", "a", "b"]],
    ]);
  });

  it("is sent by its source again when the server has lost it", async () => {
    const { send, scripts } = runner(1, noscript(), 3, 4);
    await scripts.run(script, [], []);
    expect(await scripts.run(script, [], [])).toBe(3);
    expect(await scripts.run(script, [], [])).toBe(4);
    expect(send.mock.calls.map(([[command]]) => command?.[0])).toEqual(["EVAL", "EVALSHA", "EVAL", "EVALSHA"]);
  });

  it("is not sent again once its waiter has settled", async () => {
    const { send, scripts } = runner(1, noscript());
    const waiter = { isSettled: false };
    await scripts.run(script, [], []);
    const sent = scripts.run(script, [], [], { waiter });
    waiter.isSettled = true;
    await expect(sent).rejects.toThrow("NOSCRIPT");
    expect(send).toHaveBeenCalledTimes(2);
  });

  it("is sent by its source until the server has answered once", async () => {
    const { send, scripts } = runner(new ConnectionError("lost"), 2);
    await expect(scripts.run(script, [], [])).rejects.toThrow("lost");
    expect(await scripts.run(script, [], [])).toBe(2);
    expect(send.mock.calls.map(([[command]]) => command?.[0])).toEqual(["EVAL", "EVAL"]);
  });

  it("rejects with the server's error, by source or by digest", async () => {
    const { scripts } = runner(new ReplyError("ERR", "first"), new ReplyError("WRONGTYPE", "second"));
    await expect(scripts.run(script, [], [])).rejects.toThrow("ERR first");
    await expect(scripts.run(script, [], [])).rejects.toThrow("WRONGTYPE second");
  });

  it("is sent with the options of its call", async () => {
    const { send, scripts } = runner();
    await scripts.run(script, [], [], { idempotent: true, timeoutMs: 5 });
    expect(send).toHaveBeenCalledWith(expect.anything(), { idempotent: true, timeoutMs: 5 });
  });

  it("is known for each connection separately", async () => {
    const [one, other] = [runner(), runner()];
    await one.scripts.run(script, [], []);
    await other.scripts.run(script, [], []);
    expect(other.send.mock.calls[0]?.[0]?.[0]?.[0]).toBe("EVAL");
  });
});
