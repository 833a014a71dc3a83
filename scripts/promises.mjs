// @ts-check
// npm run promises: test/promises for as long as `--minutes` says; `--seed` repeats the choices of an earlier run.
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { bin, run, Stop, script } from "./run.mjs";

await script(async () => {
  const { values } = parseArgs({
    options: { minutes: { type: "string", default: "30" }, seed: { type: "string", default: "" } },
  });
  const minutes = Number(values.minutes);
  if (!(minutes > 0)) throw new Stop(`--minutes ${values.minutes} is no time; give a number above 0`);
  if (!/^\d*$/.test(values.seed))
    throw new Stop(`--seed ${values.seed} is no seed; give the number that a run printed`);
  const figures = await mkdtemp(join(tmpdir(), "promises-"));
  process.env.FAULT_FIGURES = figures;
  process.env.PROMISES_SECONDS = String(minutes * 60);
  const seed = values.seed || String(Math.floor(Math.random() * 1e9));
  process.env.PROMISES_SEED = seed;
  console.log(`seed ${seed}`);
  try {
    const { code } = await run(join(bin, "vitest"), ["run", "test/promises", "--disable-console-intercept"]);
    print(await read(join(figures, "promises.json")));
    return code;
  } finally {
    await rm(figures, { recursive: true, force: true });
  }
});

/** @param {string} path */
async function read(path) {
  const text = await readFile(path, "utf8").catch(() => undefined);
  if (text === undefined) throw new Stop("The run ended before it had a result; what it says is above.");
  return JSON.parse(text);
}

/** @param {{ seed: number, seconds: number, operations: number, faults: number, broken: Record<string, number> }} result */
function print({ seed, seconds, operations, faults, broken }) {
  const perSecond = Math.round(operations / seconds);
  console.log(`${operations} operations, ${perSecond} a second; ${faults} faults; seed ${seed}`);
  for (const [promise, times] of Object.entries(broken)) {
    console.log(times === 0 ? `kept: ${promise}` : `VIOLATED ${times} times: ${promise}`);
  }
}
