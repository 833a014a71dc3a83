import { readFileSync } from "node:fs";
import { join } from "node:path";
import { SpanKind } from "@opentelemetry/api";
import { expect, inject, it } from "vitest";
import { createCache, herd } from "../../src/index.js";
import { instrument } from "../../src/otel/index.js";
import { INSTRUMENTS } from "../../src/otel/instruments.js";
import { root } from "../support/project.js";
import { until } from "../support/wait.js";
import { startSdk } from "./sdk.js";

const page = readFileSync(join(root, "docs", "observability.md"), "utf8");

it("the table of metrics in docs/observability.md is the one in the code", () => {
  const rows = Object.entries(INSTRUMENTS).map(([name, { kind, attributes, unit, description }]) => {
    const unitOf = unit === "s" || unit === "By" ? `, ${unit === "s" ? "seconds" : "bytes"}` : "";
    return `| \`${name}\` | ${kind}${unitOf} | ${attributes.map((attribute) => `\`${attribute}\``).join(", ")} | ${description} |`;
  });
  expect(page).toContain(`|---|---|---|---|\n${rows.join("\n")}\n\n`);
});

it("spans have only the attributes that docs/observability.md has in their row", async () => {
  const documented = new Map(
    [...page.matchAll(/^\| (.*?) \| (?:internal|client) \| .*? \| (.*) \|$/gm)].map(
      ([, span = "", attributes = ""]) => {
        const [name = ""] = /(?<=`)[\w.]+/.exec(span) ?? [];
        return [name, [...attributes.matchAll(/`([\w.]+)`/g)].map(([, attribute]) => attribute)] as const;
      },
    ),
  );
  expect([...documented.keys()]).toEqual(["cache.", "cache.load", "cache.refresh", "GET"]);
  await using sdk = startSdk();
  const cache = createCache({
    location: inject("valkeyUrl"),
    keyPrefix: `docs-${process.pid}`,
    client: herd({ grace: "1m" }),
  });
  const end = instrument(cache, { keys: "hash" });
  await cache.getOrSetMany(["a", "b"], () => ({ a: 1 }), { ttl: 0.01 });
  await cache.getOrSet("c", () => Promise.reject(new Error("no"))).catch(() => {});
  await cache.set("text", "one", { ttl: 60 });
  await expect(cache.sets.add("text", [1])).rejects.toThrow("WRONGTYPE");
  await until(
    async () => {
      await cache.getOrSet("a", () => 2, { ttl: 0.01 });
      return sdk.spans().some(({ name }) => name === "cache.refresh");
    },
    { what: "a refresh" },
  );
  await cache.close();
  end();
  for (const { name, kind, attributes } of sdk.spans()) {
    const row = kind === SpanKind.CLIENT ? "GET" : documented.has(name) ? name : "cache.";
    const { "cache.name": _, ...others } = attributes;
    expect(documented.get(row), name).toEqual(expect.arrayContaining(Object.keys(others)));
  }
});
