// @ts-check
// npm start: the example service, also from a fresh clone.
import { join } from "node:path";
import { build } from "./build.mjs";
import { ensurePackages } from "./packages.mjs";
import { bin, run, script } from "./run.mjs";

await script(async () => {
  await ensurePackages();
  await build();
  const { code, stopped } = await run(join(bin, "node"), ["examples/hono-app/node.ts", ...process.argv.slice(2)]);
  return stopped ? 0 : code;
});
