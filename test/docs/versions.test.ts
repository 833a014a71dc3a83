import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, inject, it } from "vitest";
import { documented, writeBlock } from "../support/docs.js";
import { bin, build, manifest, output, root } from "../support/project.js";

const page = readFileSync(join(root, "docs", "versions.md"), "utf8");
const tools = JSON.parse(readFileSync(join(root, "test", "tools", "package.json"), "utf8")) as {
  devDependencies: Record<string, string>;
};
const servers = readFileSync(join(root, "docs", "servers.md"), "utf8");

const minor = (version = "") => version.replace(/^npm:\w+@/, "").replace(/^(\d+\.\d+).*/, "$1");
const installed = (name: string) => minor(manifest.devDependencies[name] ?? tools.devDependencies[name]);

/** The cells of the first row of a table whose first cell is this text. */
function row(name: string): readonly string[] {
  const line = page.split("\n").find((text) => text.startsWith(`| ${name} |`));
  return (line ?? "").split("|").map((cell) => cell.trim());
}

it("docs/versions.md has the versions that package.json allows", () => {
  expect(row("Node")[2]).toBe(`${manifest.engines.node.replace(">=", "")} and later`);
  expect(row("Hono")[2]).toBe(manifest.peerDependencies.hono?.replace(">=", ""));
  expect(row("Fastify")[2]).toBe(/^>=(\d+) /.exec(manifest.peerDependencies.fastify ?? "")?.[1]);
  expect(row("Next.js")[2]).toBe(`${manifest.peerDependencies.next?.replace(">=", "")} and later`);
  expect(row("Keyv")[2]).toBe(`${manifest.peerDependencies.keyv?.replace(">=", "")} and later`);
  expect(row("unstorage, Nitro")[2]).toBe(
    `unstorage ${manifest.peerDependencies.unstorage?.replace(">=", "")} and later`,
  );
  const otel = minor(manifest.peerDependencies["@opentelemetry/api"]?.replace("^", ""));
  expect(row("OpenTelemetry")[2]).toBe(`\`@opentelemetry/api\` ${otel} and later`);
});

it("docs/versions.md has the versions that the tests run with", () => {
  expect(row("Node")[3]).toBe(`20.19 and ${installed("node").split(".")[0]}`);
  expect(row("Bun")[2]).toBe(`${installed("bun")} and later`);
  expect(row("Deno")[2]).toBe(`${installed("deno")} and later`);
  expect(row("Hono")[3]).toBe(installed("hono"));
  expect(row("Fastify")[3]).toBe(installed("fastify"));
  expect(row("SvelteKit")[3]).toBe(installed("@sveltejs/kit"));
  expect(row("Next.js")[3]).toBe(installed("next"));
  expect(row("Keyv")[3]).toBe(`${installed("keyv")} and ${installed("keyv-6")}`);
  const nest = installed("@nestjs/core").split(".")[0];
  expect(row("cache-manager, NestJS")[3]).toBe(`${installed("cache-manager")}, with NestJS ${nest}`);
  expect(row("unstorage, Nitro")[3]).toBe(
    `${installed("unstorage")}, with Nitro's nitropack ${installed("nitropack")}`,
  );
  expect(row("OpenTelemetry")[3]).toBe(installed("@opentelemetry/api"));
  const compilers = Object.keys(manifest.devDependencies).flatMap((name) => /^typescript-(.+)$/.exec(name)?.[1] ?? []);
  expect(row("TypeScript")[2]).toContain(`${compilers.sort()[0]} and later`);
  expect(row("TypeScript")[3]).toBe(`every minor version from ${compilers[0]} to ${installed("typescript")}`);
});

it("docs/versions.md has the servers of the table in docs/servers.md", () => {
  const tried = [...servers.matchAll(/^\| (redis|redict|valkey) +\| +(\d+\.\d+)\./gm)];
  expect(tried.length).toBeGreaterThan(5);
  for (const [, kind, version] of tried) {
    expect(row(kind === "valkey" ? "Valkey" : "Redis, Redict")[3], `${kind} ${version}`).toContain(version);
  }
});

it("docs/versions.md prints the versions of the package and of the server", async () => {
  await build();
  const file = writeBlock(documented("versions.md", "manifest.version"), {
    "valkey://localhost:6379": inject("valkeyUrl"),
  });
  const [library, server] = (await output(join(bin, "node"), [file])).trim().split("\n");
  expect(library).toMatch(new RegExp(`^valkey-edge-cache ${manifest.version.replaceAll(".", "\\.")} over [\\w-]+$`));
  expect(server).toMatch(/^valkey \d+\.\d+\.\d+, \w+ of standalone$/);
});
