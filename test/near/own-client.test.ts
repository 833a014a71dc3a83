import { randomUUID } from "node:crypto";
import { describe, expect, inject, it } from "vitest";
import { toText } from "../../src/core/text.js";
import {
  type Answer,
  type ClientContext,
  type ClientFactory,
  DefaultClient,
  HerdClient,
  herd,
  type Loader,
  type LoadOptions,
  type NearCacheOptions,
  type Reply,
  type Shared,
} from "../../src/index.js";
import { CLAIM } from "../../src/lease/scripts.js";
import { until } from "../support/wait.js";
import { Near } from "./near.js";

/** A cache with a near cache that listens, and which has an entry, `a`. */
async function open(client: ClientFactory, options: NearCacheOptions = {}): Promise<Near> {
  const near = new Near({ location: inject("valkeyUrl"), keyPrefix: randomUUID(), client }, options);
  await near.cache.set("a", { text: "stored" });
  await until(async () => (await near.cache.health()).nearCache?.listening, { what: "the near cache to listen" });
  await until(() => near.knows("a"), { what: "the process to know the entry" });
  return near;
}

const loader = async () => ({ text: "loaded" });

/** Shouts: it reads replies in its own way. */
const louder = (value: unknown): unknown =>
  typeof value === "object" && value !== null && "text" in value ? String(value.text).toUpperCase() : value;

describe("a client of the user's own over a near cache", () => {
  it("gets its GETs from the process, without knowing of it", async () => {
    class Plain extends DefaultClient {
      override async get(key: string): Promise<unknown> {
        const [reply = null] = await this.context.connection.send([["GET", key]], { readOnly: true });
        return reply instanceof Uint8Array ? toText(reply) : reply;
      }
    }
    await using near = await open((context) => new Plain(context));
    expect(await near.read("a")).toEqual({ value: '{"text":"stored"}', isKnown: true });
    await near.cache.set("a", 2);
    expect(await near.read("a")).toEqual({ value: "2", isKnown: false });
  });

  it.each([
    [
      "the default one",
      (context: ClientContext) =>
        new (class extends DefaultClient {
          protected override async decode(reply: Reply, key: string, nowMs: number): Promise<unknown> {
            return louder(await super.decode(reply, key, nowMs));
          }
        })(context),
    ],
    [
      "herd()'s",
      (context: ClientContext) =>
        new (class extends HerdClient {
          protected override async decode(reply: Reply, key: string, nowMs: number): Promise<unknown> {
            return louder(await super.decode(reply, key, nowMs));
          }
        })(context),
    ],
  ])("may extend how %s decodes replies, also those that the process knows", async (_name, client) => {
    for (const values of ["copy", "shared"] as const) {
      await using near = await open(client, { values });
      expect(await near.read("a")).toEqual({ value: "STORED", isKnown: true });
      expect(await near.cache.getMany(["a"])).toEqual(new Map([["a", "STORED"]]));
    }
  });

  it.each([
    ["the default one", DefaultClient],
    ["herd()'s", HerdClient],
  ])("may extend what %s answers, also where the process knows the value", async (_name, Base) => {
    class Recording extends Base {
      readonly answers: string[] = [];
      protected override async answer(
        key: string,
        load: Loader<unknown>,
        options: LoadOptions,
        shared: Shared,
      ): Promise<Answer> {
        const answer = await super.answer(key, load, options, shared);
        this.answers.push(String(louder(answer.value)));
        return answer;
      }
    }
    const clients: Recording[] = [];
    await using near = await open((context) => {
      const client = new Recording(context);
      clients.push(client);
      return client;
    });
    expect(await near.cache.getOrSet("a", loader)).toEqual({ text: "stored" });
    expect(await near.cache.getOrSet("a", loader)).toEqual({ text: "stored" });
    expect(clients.flatMap(({ answers }) => answers)).toEqual(["STORED", "STORED"]);
  });
});

describe("a near cache whose process tries to take a lease", () => {
  const ATTEMPT = ["0".repeat(15), "token-123456", "1000", ""];

  it("goes on answering an entry where it fails, and not where it may have succeeded", async () => {
    await using near = await open(herd());
    const key = String(near.cache.makeKey("a"));
    expect(await near.cache.connection.script(CLAIM, [key], ATTEMPT)).toBe(0);
    expect(await near.read("a")).toEqual({ value: { text: "stored" }, isKnown: true });
    const [stored = null] = await near.cache.connection.send([["GETRANGE", key, "4", "18"]], { readOnly: true });
    const freshUntil = stored instanceof Uint8Array ? toText(stored) : String(stored);
    const taken = near.cache.connection.script(CLAIM, [key], [freshUntil, ...ATTEMPT.slice(1)]);
    expect(await taken).toBe(1);
    expect(await near.knows("a")).toBe(false);
  });
});
