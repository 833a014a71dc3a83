import * as glide from "@valkey/valkey-glide";
import { describe, expect, it, vi } from "vitest";
import { GlideConnection } from "../../../src/connection/glide/connection.js";

/** A connection over a GLIDE client whose commands are answered by the test. */
function createConnection() {
  const answers: ((reply: string) => void)[] = [];
  const answer = () => new Promise<string>((resolve) => answers.push(resolve));
  const client: glide.GlideClient = Object.create(glide.GlideClient.prototype);
  const single = vi.spyOn(client, "customCommand").mockImplementation(answer);
  const batch = vi.spyOn(client, "exec").mockImplementation(async () => {
    await answer();
    return Array<string>(4).fill("many");
  });
  const connection = new GlideConnection(
    glide,
    { name: "a server", readFrom: "primary", commandTimeoutMs: 500 },
    client,
    { reader: undefined, close: () => {} },
  );
  return { connection, single, batch, answers };
}

describe("a connection over GLIDE", () => {
  it("sends the command of a lone caller in the same turn", async () => {
    const { connection, single, answers } = createConnection();
    const reply = connection.send([["GET", "a"]], { text: true });
    expect(single).toHaveBeenCalledTimes(1);
    answers[0]?.("one");
    expect(await reply).toEqual(["one"]);
  });

  it("pipelines the commands of callers that come while one is in progress", async () => {
    const { connection, single, batch, answers } = createConnection();
    const replies = Promise.all(["a", "b", "c", "d", "e"].map((key) => connection.send([["GET", key]])));
    await vi.waitFor(() => expect(answers).toHaveLength(2));
    for (const answer of answers) answer("one");
    expect(await replies).toEqual([["one"], ["many"], ["many"], ["many"], ["many"]]);
    expect(single).toHaveBeenCalledTimes(1);
    expect(batch).toHaveBeenCalledTimes(1);
  });

  it("sends queued commands before a batch of its own, and before a command that is not queued", () => {
    const { connection, single, batch } = createConnection();
    const sent: string[] = [];
    single.mockImplementation(async (args) => {
      sent.push(String(args[1]));
      return "one";
    });
    batch.mockImplementation(async () => {
      sent.push("batch");
      return ["x", "y"];
    });
    void connection.send([["GET", "a"]]);
    void connection.send([["GET", "b"]]);
    void connection.send([
      ["GET", "c"],
      ["GET", "d"],
    ]);
    void connection.send([["GET", "e"]]);
    void connection.send([["MGET", ...Array.from({ length: 20 }, (_, i) => `m${i}`)]]);
    expect(sent).toEqual(["a", "b", "batch", "e", "m0"]);
  });
});
