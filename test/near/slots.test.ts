import fc from "fast-check";
import { Redis } from "iovalkey";
import { describe, expect, inject, it } from "vitest";
import { SLOTS, slotOf, toPrimaries, toView } from "../../src/near/slots.js";

describe("the slot of a key", () => {
  it.each([
    ["123456789", 0x31c3],
    ["", 0],
    ["foo", 12_182],
    ["somekey", 11_058],
    ["foo{hash_tag}", 2_515],
    ["bar{hash_tag}", 2_515],
  ])("of %j is %i, as the specification and servers say", (key, slot) => {
    expect(slotOf(key)).toBe(slot);
  });

  it.each([
    ["{user1000}.following", "user1000"],
    ["foo{{bar}}zap", "{bar"],
    ["foo{bar}{zap}", "bar"],
    ["a}{b}", "b"],
  ])("of %j is that of its hash tag, %j", (key, tag) => {
    expect(slotOf(key)).toBe(slotOf(tag));
  });

  it("is the one that a server says, for any key", async () => {
    const piece = fc.oneof(
      fc.constantFrom("{", "}", "{}", "é", "日", "😀", ":1:"),
      fc.string({ unit: "binary", maxLength: 8 }),
    );
    const some = fc.sample(fc.array(piece, { maxLength: 8 }), 3_000).map((pieces) => pieces.join("").toWellFormed());
    const keys = ["foo{}{bar}", "foo{bar", "foo}bar{", "{}", ...some];
    const { hostname, port } = new URL(inject("clusterUrl").split(",")[0] ?? "");
    const server = new Redis(Number(port), hostname);
    try {
      const replies = await server.pipeline(keys.map((key) => ["cluster", "KEYSLOT", key])).exec();
      expect(keys.map((key) => [key, slotOf(key)])).toEqual(keys.map((key, i) => [key, replies?.[i]?.[1]]));
      expect(keys.every((key) => slotOf(key) < SLOTS)).toBe(true);
    } finally {
      server.disconnect();
    }
  });
});

describe("the reply to CLUSTER SLOTS", () => {
  it("gives the primary of each range, and no replicas", () => {
    const reply = [
      [0, 8_191, ["10.0.0.1", 7_001, "id1", []], ["10.0.0.9", 7_009, "id9", []]],
      [8_192, 16_383, ["10.0.0.2", 7_002, "id2", []]],
    ];
    expect(toPrimaries(reply, "seed")).toEqual([
      { host: "10.0.0.1", port: 7_001 },
      { host: "10.0.0.2", port: 7_002 },
    ]);
  });

  it.each([null, "", "?"])("has the host that was asked where a node does not know its own: %j", (host) => {
    expect(toPrimaries([[0, 1, [host, 7_001]]], "seed")).toEqual([{ host: "seed", port: 7_001 }]);
  });

  it("has no primaries where it is none, and none in rows that are none", () => {
    expect(toPrimaries("ERR", "seed")).toEqual([]);
    expect(toPrimaries(null, "seed")).toEqual([]);
    expect(toPrimaries([null, [], [1], [0, 5, "x"], [0, 5, ["h", "p"]]], "seed")).toEqual([]);
  });
});

describe("what a node says of its cluster", () => {
  const INFO =
    "cluster_state:ok\r\ncluster_slots_assigned:16384\r\ncluster_known_nodes:3\r\ncluster_stats_messages_sent:5";
  const nodes = (slots: string, flags = "myself,master"): string =>
    `id1 10.0.0.1:7001@17001 ${flags} - 0 0 1 connected ${slots}\nid2 10.0.0.2:7002@17002 master - 0 0 2 connected 9-16383\n`;

  it("has the slots that are its own", () => {
    expect(toView(INFO, nodes("0-5 7"))).toMatchObject({
      isWell: true,
      slots: [
        { start: 0, end: 5 },
        { start: 7, end: 7 },
      ],
    });
  });

  it("has no slot that is on its way to another node", () => {
    const { slots } = toView(INFO, nodes("0-5 [0->-id2] [3->-id2] [5->-id2] [9-<-id2]"));
    expect(slots).toEqual([
      { start: 1, end: 2 },
      { start: 4, end: 4 },
    ]);
  });

  it("has no slots while its cluster is down, nor where it is a replica", () => {
    expect(toView(INFO.replace(":ok", ":fail"), nodes("0-5"))).toMatchObject({ isWell: false, slots: [] });
    expect(toView(INFO, nodes("", "myself,slave")).slots).toEqual([]);
    expect(toView(null, null)).toMatchObject({ isWell: false, slots: [] });
  });

  it("is another text when slots or nodes change, and the same when only counters do", () => {
    const { text } = toView(INFO, nodes("0-5"));
    expect(toView(INFO.replace("sent:5", "sent:6"), nodes("0-5")).text).toBe(text);
    expect(toView(INFO, nodes("0-5 [3->-id2]")).text).not.toBe(text);
    expect(toView(INFO.replace("nodes:3", "nodes:4"), nodes("0-5")).text).not.toBe(text);
  });
});
