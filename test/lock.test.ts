import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { root } from "./support/project.js";

interface Locked {
  readonly version?: string;
  readonly resolved?: string;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

describe.each([
  "package-lock.json",
  "bench/package-lock.json",
  "docs/package-lock.json",
  "test/tools/package-lock.json",
  "test/tools/keyv-suite/package-lock.json",
])("%s", (file) => {
  const { packages } = JSON.parse(readFileSync(join(root, file), "utf8")) as { packages: Record<string, Locked> };
  const paths = Object.keys(packages);

  it("lists the optional packages of every platform, as npm ci requires", () => {
    const optional = Object.values(packages).flatMap(({ optionalDependencies = {} }) =>
      Object.keys(optionalDependencies),
    );
    const absent = optional.filter((name) => !paths.some((path) => path.endsWith(`node_modules/${name}`)));
    expect(
      absent,
      "choose versions that are published for all their platforms, or pin older ones by overrides",
    ).toEqual([]);
  });

  it("names no registry, so that each user's own is used", () => {
    expect(paths.filter((path) => /^https?:/.test(packages[path]?.resolved ?? ""))).toEqual([]);
  });
});
