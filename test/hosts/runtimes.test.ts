import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { type Consumer, consumerOfPacked } from "../support/packed.js";
import { bin, output } from "../support/project.js";

/** What a small application does, on whatever transport its runtime can have. */
const APPLICATION = `
  import { createCache, herd, memory } from "valkey-edge-cache";

  const [runtime, location] = process.argv.slice(2);
  const options = { keyPrefix: "runtime-" + runtime, ttl: "1m" };
  const cache = createCache({ location, ...options });
  await cache.clear();
  await cache.set("city", { name: "Bern" });
  const city = await cache.get("city");
  const herded = createCache({ location, client: herd(), ...options });
  let loads = 0;
  const load = async () => ++loads;
  const loaded = await Promise.all([herded.getOrSet("n", load), herded.getOrSet("n", load), herded.getOrSet("n", load)]);
  const again = await herded.getOrSet("n", load);
  const [info] = await cache.connection.send([["CLIENT", "INFO"]]);
  await herded.close();
  await cache.close();
  await using inMemory = createCache({ location: "memory:" });
  await inMemory.set("city", city);
  const client = /lib-name=Glide/.test(new TextDecoder().decode(info)) ? "GLIDE" : "iovalkey";
  console.log(JSON.stringify({ city, loaded, again, remembered: await inMemory.get("city"), client }));
`;

const RUNTIMES: Record<string, { program: string; args: string[] }> = {
  node: { program: "node", args: [] },
  bun: { program: "bun", args: ["run"] },
  deno: { program: "deno", args: ["run", "--allow-all", "--quiet", "--no-config", "--node-modules-dir=manual"] },
};

/** Not every platform has every runtime's package. */
const runs = async (program: string) =>
  output(join(bin, program), ["--version"]).then(
    () => true,
    () => false,
  );

describe("the packed package", () => {
  let consumer: Consumer;
  beforeAll(async () => {
    consumer = await consumerOfPacked();
    consumer.write("application.js", APPLICATION);
  }, 120_000);
  afterAll(() => consumer[Symbol.dispose]());

  it.for(Object.entries(RUNTIMES))("caches on %s, and ends", async ([name, { program, args }], { skip }) => {
    skip(!(await runs(program)), `${program} has no package for this platform`);
    const printed = await output(
      join(bin, program),
      [...args, "application.js", name, inject("valkeyUrl")],
      consumer.folder,
    );
    expect(JSON.parse(printed)).toEqual({
      city: { name: "Bern" },
      loaded: [1, 1, 1],
      again: 1,
      remembered: { name: "Bern" },
      client: expect.stringMatching(/^(GLIDE|iovalkey)$/),
    });
  });
});
