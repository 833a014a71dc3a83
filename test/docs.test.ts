import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { blocksOf } from "./support/markdown.js";
import { bin, build, output, root } from "./support/project.js";

/** Inside the repository, so that imports find the package by its own name, and its peers. */
const folder = join(root, ".cache", "docs");
const pages = readdirSync(join(root, "docs")).filter((name) => name.endsWith(".md"));
const blocks = pages.flatMap((page) =>
  blocksOf(readFileSync(join(root, "docs", page), "utf8"))
    .filter(({ language }) => language === "ts")
    .map((block) => ({ ...block, name: `${page.replace(/\.md$/, "")}-line-${block.line}` })),
);

/** What the pages import besides packages, as far as they use it. */
const MODULES: Readonly<Record<string, string>> = {
  "db.d.ts": `type User = { readonly id: string; readonly name: string; readonly team: string };
export declare const db: {
  user(id: string, options?: { readonly signal?: AbortSignal; readonly tenant?: string }): Promise<User>;
  users(ids: readonly string[]): Promise<Map<string, User>>;
  members(team: string): Promise<User[]>;
  rename(id: string, name: string): Promise<void>;
  join(id: string, team: string): Promise<void>;
  insert(tenant: string, users: readonly User[]): Promise<void>;
  remove(tenant: string): Promise<void>;
};
`,
  "render.d.ts": `export declare function render(path: string): Promise<string>;
`,
  "reports.d.ts": `export declare function findReport(id: string, options: { from: Date; deep: boolean }): Promise<string>;
`,
  "cloudflare.d.ts": `declare module "cloudflare:sockets" {
  export function connect(
    address: { hostname: string; port: number },
    options?: { secureTransport?: "on" | "off" },
  ): { readable: ReadableStream<Uint8Array>; writable: WritableStream<Uint8Array> };
}
`,
};

describe("the TypeScript of docs/", () => {
  beforeAll(async () => {
    await build();
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    for (const { name, before, code } of blocks) {
      writeFileSync(join(folder, `${name}.ts`), `${before}\n${code}\nexport {};\n`);
    }
    for (const [name, code] of Object.entries(MODULES)) writeFileSync(join(folder, name), code);
    // Types come from dist/, as for users, not from the sources.
    const compilerOptions = { rootDir: "../..", paths: {}, noUnusedLocals: false, noUnusedParameters: false };
    writeFileSync(
      join(folder, "tsconfig.json"),
      JSON.stringify({ extends: "../../tsconfig.json", compilerOptions, include: ["*.ts"] }),
    );
  }, 120_000);

  it("type-checks", async () => {
    expect(blocks.length).toBeGreaterThan(20);
    await expect(output(join(bin, "tsc"), ["-p", folder])).resolves.toBe("");
  }, 60_000);
});
