import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { beforeAll, describe, expect, inject, it } from "vitest";
import { type ConsoleStep, curl, stepsOf } from "../support/curl.js";
import { docsBlocks, documented, writeBlock } from "../support/docs.js";
import { launch, type Running } from "../support/launch.js";
import { freePort, HOST } from "../support/ports.js";
import { bin, build, root } from "../support/project.js";
import { until } from "../support/wait.js";

const GUIDES = ["express", "fastify", "hono", "nextjs", "nestjs", "nitro-nuxt", "sveltekit"].map(
  (name) => `guides/${name}.md`,
);

interface Server extends AsyncDisposable {
  readonly running: Running;
  /** What a command of the page prints when it is called with this server. */
  curl(command: string): Promise<string[]>;
}

/** Runs the file of a page as another process. */
async function start(page: string, location: string, prefix: string, texts: Record<string, string>): Promise<Server> {
  const port = await freePort();
  const own = { '"shop"': JSON.stringify(prefix), "3000": String(port), ...texts };
  const file = writeBlock(documented(page, "// server.ts"), own);
  const running = await launch("env", [`VALKEY_URL=${location}`, join(bin, "node"), file], dirname(file));
  const asked = (command: string) => curl(command, { "localhost:3000": `${HOST}:${port}` });
  const answers = () =>
    asked("curl -s http://localhost:3000/").then(
      () => true,
      () => running.ended,
    );
  await until(answers, { what: page, timeoutMs: 20_000 });
  if (running.ended) throw new Error(`${page} ended: ${running.log()}`);
  return { running, curl: asked, [Symbol.asyncDispose]: () => running.stop() };
}

/** Without the seconds that are left, which depend on the machine. */
const timeless = (lines: readonly string[]) => lines.map((line) => line.replace(/ttl=\d+/, "ttl=…"));

/** Calls the commands of a page, and expects the lines that it shows. */
async function follow(steps: readonly ConsoleStep[], server: Server): Promise<void> {
  for (const { command, printed } of steps) {
    expect(timeless(await server.curl(command)), command).toEqual(timeless(printed));
  }
}

/** Another URL of the same route, at a host that all processes have in common. */
const OTHER = "curl -si -H 'Host: shop.example' http://localhost:3000/products/7?lang=en | grep -iE 'cache-status'";
const HIT = [expect.stringMatching(/cache-status: .*; hit/i)];
const MISS = [expect.stringMatching(/cache-status: .*fwd=uri-miss; stored/i)];

describe("the file of a guide", () => {
  beforeAll(build, 120_000);

  it.each([
    ["express", {}],
    ["express", { '"express"': '"express-4"' }],
    ["fastify", {}],
    ["hono", {}],
  ])("for %s answers as its page shows, in several processes, and ends on SIGTERM (%o)", async (name, texts) => {
    const page = `guides/${name}.md`;
    const steps = stepsOf(documented(page, "$ curl").code);
    expect(steps.length).toBeGreaterThan(3);
    const prefix = randomUUID();
    const [one, two] = await Promise.all([1, 2].map(() => start(page, inject("valkeyUrl"), prefix, texts)));
    await using first = one as Server;
    await using second = two as Server;
    expect(await first.curl(OTHER)).toEqual(MISS);
    expect(await second.curl(OTHER)).toEqual(HIT);
    await follow(steps, first);
    // The tag has ended this response, too. The value is the one that the first process has loaded.
    expect(await second.curl(OTHER)).toEqual(MISS);
    expect(await second.curl("curl -s http://localhost:3000/products/7")).toEqual(steps.at(-1)?.printed.slice(-1));
    await Promise.all([first, second].map(({ running }) => running.kill("SIGTERM")));
    expect([first.running.log(), second.running.log()]).toEqual(["", ""]);
  });

  it.each(["express", "fastify", "hono"])("for %s needs no server of Valkey", async (name) => {
    const page = `guides/${name}.md`;
    expect(documented(page, "node server.ts").code).toContain("VALKEY_URL=memory: node server.ts");
    await using server = await start(page, "memory:", randomUUID(), {});
    await follow(stepsOf(documented(page, "$ curl").code), server);
    await server.running.kill("SIGTERM");
  });
});

it.each(GUIDES.filter((page) => existsSync(join(root, "docs", page))))(
  "docs/%s installs packages that the tests have",
  (page) => {
    const lines = docsBlocks(page).flatMap(({ language, code }) => (language === "sh" ? code.split("\n") : []));
    const names = lines.flatMap((line) => /^npm install (.*)/.exec(line)?.[1]?.split(" ") ?? []);
    const packages = names.filter((name) => !name.startsWith("-") && name !== "valkey-edge-cache");
    expect(names).toContain("valkey-edge-cache");
    const places = ["node_modules", "test/tools/node_modules", "docs/node_modules"];
    expect(packages.filter((name) => !places.some((place) => existsSync(join(root, place, name))))).toEqual([]);
  },
);
