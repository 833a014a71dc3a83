import { rmSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, it } from "vitest";
import { docsBlocks, docsPages, needsTools, typeCheck } from "../support/docs.js";
import { build, root } from "../support/project.js";
import { MODULES } from "./modules.js";

const folder = join(root, ".cache", "docs", "types");
const blocks = docsPages()
  .flatMap(docsBlocks)
  .filter(({ language }) => language === "ts");

beforeAll(async () => {
  await build();
  rmSync(folder, { recursive: true, force: true });
}, 120_000);

it("the TypeScript of docs/ type-checks", async () => {
  const ours = blocks.filter((block) => !needsTools(block));
  expect(ours.length).toBeGreaterThan(20);
  await expect(typeCheck(ours, MODULES, folder)).resolves.toBe("");
}, 60_000);
