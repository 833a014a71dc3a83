// @ts-check
// npm run docs: builds the site of docs/ into docs/.vitepress/dist. npm run docs:dev: serves it, and shows changes at once.
import { join } from "node:path";
import { ensureDocs, ensurePackages } from "./packages.mjs";
import { bin, mustRun, run, script } from "./run.mjs";

const node = join(bin, "node");
const vitepress = "docs/node_modules/vitepress/bin/vitepress.js";

await script(async () => {
  const [command = "build", ...options] = process.argv.slice(2);
  await ensurePackages();
  await ensureDocs();
  await mustRun("Writing the reference", node, ["scripts/reference.mjs"]);
  const { code, stopped } = await run(node, [vitepress, command, "docs", ...options]);
  return stopped ? 0 : code;
});
