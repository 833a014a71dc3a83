// @ts-check
// npm run promises, npm run near: test/promises or test/staleness for as long as `--minutes` says; `--seed` repeats the
// choices of an earlier run.
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { bin, run, Stop, script } from "./run.mjs";

await script(async () => {
  const { values, positionals } = parseArgs({
    options: { minutes: { type: "string", default: "30" }, seed: { type: "string", default: "" } },
    allowPositionals: true,
  });
  const [suite = "promises"] = positionals;
  const minutes = Number(values.minutes);
  if (!(minutes > 0)) throw new Stop(`--minutes ${values.minutes} is no time; give a number above 0`);
  if (!/^\d*$/.test(values.seed))
    throw new Stop(`--seed ${values.seed} is no seed; give the number that a run printed`);
  const figures = await mkdtemp(join(tmpdir(), `${suite}-`));
  process.env.FAULT_FIGURES = figures;
  process.env.ROUNDS_SECONDS = String(minutes * 60);
  const seed = values.seed || String(Math.floor(Math.random() * 1e9));
  process.env.ROUNDS_SEED = seed;
  console.log(`seed ${seed}`);
  try {
    const { code } = await run(join(bin, "vitest"), [
      "run",
      `test/${suite}/${suite}.test.ts`,
      "--disable-console-intercept",
    ]);
    for (const line of await summary(join(figures, `${suite}.json`))) console.log(line);
    return code;
  } finally {
    await rm(figures, { recursive: true, force: true });
  }
});

/**
 * What the suite says of its run.
 * @param {string} path
 * @returns {Promise<string[]>}
 */
async function summary(path) {
  const text = await readFile(path, "utf8").catch(() => undefined);
  if (text === undefined) throw new Stop("The run ended before it had a result; what it says is above.");
  return JSON.parse(text).summary;
}
