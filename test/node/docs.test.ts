import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { beforeAll, describe, expect, inject, it } from "vitest";
import { blocksOf } from "../support/markdown.js";
import { HOST } from "../support/ports.js";
import { build, root } from "../support/project.js";
import { until } from "../support/wait.js";
import { begin } from "./servers.js";

const folder = join(root, ".cache", "node-docs");
const page = readFileSync(join(root, "docs", "http.md"), "utf8");
const blocks = blocksOf(page);

/** Serves the application of the block that has this text. */
async function serve(text: string, replaced: readonly [string, string][] = []) {
  const block = blocks.find(({ language, code }) => language === "ts" && code.includes(text));
  if (!block) throw new Error(`docs/http.md has no block with ${text}`);
  const own: [string, string][] = [
    ["valkey://localhost:6379", inject("valkeyUrl")],
    ['"shop"', JSON.stringify(randomUUID())],
    ...replaced,
  ];
  const file = join(folder, `${randomUUID()}.ts`);
  writeFileSync(
    file,
    own.reduce((code, [from, to]) => code.replaceAll(from, to), block.code),
  );
  const { app } = (await import(/* @vite-ignore */ pathToFileURL(file).href)) as { app: RequestListener };
  const server = createServer(app).listen(0, HOST);
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** What curl shows of the response. */
async function curl(port: number, method: string, path: string): Promise<string> {
  const headers = method === "PURGE" ? { authorization: "Bearer secret" } : {};
  const asked = begin(port, path, { method, headers, agent: undefined as never }).end();
  const [response] = await once(asked, "response");
  let body = "";
  for await (const chunk of response) body += chunk;
  const { rawHeaders, httpVersion, statusCode, statusMessage } = response;
  const lines: string[] = [];
  for (let at = 0; at < rawHeaders.length; at += 2) lines.push(`${rawHeaders[at]}: ${rawHeaders[at + 1]}`);
  return [`HTTP/${httpVersion} ${statusCode} ${statusMessage}`, ...lines, "", body].join("\n");
}

/** Without what differs from run to run. */
const timeless = (text: string): string =>
  text
    .replace(/^(date): .*/gim, "$1: -")
    .replace(/^age: \d+$/gm, "age: -")
    .replace(/ttl=(-?)\d+/g, "ttl=$1-");

describe("the examples of docs/http.md for Node", () => {
  beforeAll(async () => {
    await build();
    mkdirSync(folder, { recursive: true });
  }, 120_000);

  const [, walkThrough = ""] = page.split("<!-- walk-through: test/node/docs.test.ts -->\n```console\n");
  const steps = (walkThrough.split("\n```")[0] ?? "").split(/^\$ /m).filter((step) => step !== "");

  it.each([
    ["Express 5", []],
    ["Express 4", [['"express"', '"express-4"']]],
  ] as [string, [string, string][]][])("answer in %s as the page shows it", async (_name, replaced) => {
    await using server = await serve('from "express"', replaced);
    expect(steps).toHaveLength(4);
    for (const step of steps) {
      const [command = "", ...lines] = step.trimEnd().split("\n");
      const method = /-X (\w+)/.exec(command)?.[1] ?? "GET";
      const expected = timeless(lines.join("\n"));
      const isStale = expected.includes("ttl=--");
      const got = await until(
        async () => {
          const answer = timeless(await curl(server.port, method, "/api/products/7"));
          return !isStale || answer.includes("ttl=--") ? answer : undefined;
        },
        { what: command },
      );
      expect(got).toBe(expected);
    }
  });

  it.each(["made by Connect", "made by a listener"])("store what is %s", async (text) => {
    await using server = await serve(text);
    const bodyOf = (answer: string): string => answer.split("\n\n")[1] ?? "";
    const first = bodyOf(await curl(server.port, "GET", "/pages/1"));
    expect(first).toContain(text);
    expect(bodyOf(await curl(server.port, "GET", "/pages/1"))).toBe(first);
    expect(await curl(server.port, "GET", "/other")).not.toContain("hit");
  });
});
