import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { beforeAll, describe, expect, inject, it } from "vitest";
import { docsBlocks, documented, writeBlock } from "../support/docs.js";
import { answering, expectReads, follow, followInTwo, GUIDES } from "../support/guide-servers.js";
import { launch } from "../support/launch.js";
import { freePort, HOST } from "../support/ports.js";
import { bin, build, root } from "../support/project.js";

/** Runs the file of a page as another process. */
async function start(page: string, location: string, prefix: string, texts: Record<string, string> = {}) {
  const port = await freePort();
  const own = { '"shop"': JSON.stringify(prefix), "3000": String(port), ...texts };
  const file = writeBlock(documented(page, "// server.ts"), own);
  return answering(await launch("env", [`VALKEY_URL=${location}`, join(bin, "node"), file], dirname(file)), port);
}

describe("the file of a guide", () => {
  beforeAll(build, 120_000);

  it.each([
    ["express", {}],
    ["express", { '"express"': '"express-4"' }],
    ["fastify", {}],
    ["hono", {}],
  ])("for %s answers as its page shows, in two processes, and ends on SIGTERM (%o)", async (name, texts) => {
    const prefix = randomUUID();
    await followInTwo(`guides/${name}.md`, () => start(`guides/${name}.md`, inject("valkeyUrl"), prefix, texts));
  });

  it.each(["express", "fastify", "hono"])("for %s needs no server of Valkey", async (name) => {
    const page = `guides/${name}.md`;
    expect(documented(page, "node server.ts").code).toContain("VALKEY_URL=memory: node server.ts");
    await using server = await start(page, "memory:", randomUUID());
    await follow(page, server);
    await server.running.kill("SIGTERM");
    expect(server.running.log()).toBe("");
  });

  it.each(["express", "fastify", "hono"])("for %s answers reads when Valkey is gone", async (name) => {
    const gone = `valkey://${HOST}:${await freePort()}`;
    await using server = await start(`guides/${name}.md`, gone, randomUUID());
    await expectReads(server);
  });
});

it.each(GUIDES)("docs/%s installs packages that the tests have", (page) => {
  const lines = docsBlocks(page).flatMap(({ language, code }) => (language === "sh" ? code.split("\n") : []));
  const names = lines.flatMap((line) => /^npm install (.*)/.exec(line)?.[1]?.split(" ") ?? []);
  const packages = names.filter((name) => !name.startsWith("-") && name !== "valkey-edge-cache");
  expect(names).toContain("valkey-edge-cache");
  const manifests = ["package.json", "test/tools/package.json"].map((path) => readFileSync(join(root, path), "utf8"));
  expect(packages.filter((name) => !manifests.some((text) => text.includes(`"${name}":`)))).toEqual([]);
});
