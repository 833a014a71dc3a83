// @ts-check
// npm run bench: all benches, also from a fresh clone. Passes its arguments to bench/run.ts, which builds first.
import { join } from "node:path";
import { ensureNeeds } from "./needs.mjs";
import { ensurePackages } from "./packages.mjs";
import { bin, root, run, script } from "./run.mjs";

await script(async () => {
  await ensurePackages();
  ensureNeeds();
  const { code } = await run(join(bin, "node"), [join(root, "bench", "run.ts"), ...process.argv.slice(2)]);
  return code;
});
