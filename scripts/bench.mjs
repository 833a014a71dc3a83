// @ts-check
// npm run bench: every benchmark, from a fresh clone on. Arguments go to bench/run.ts, which builds, too.
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
