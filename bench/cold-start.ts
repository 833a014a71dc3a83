import { spawn } from "node:child_process";
import { once } from "node:events";
import { benchOptions, isComplete } from "./harness/options.ts";
import { environment, writeResult } from "./harness/results.ts";
import { startServer } from "./harness/server.ts";
import { median } from "./harness/statistics.ts";
import { toMarkdown } from "./harness/table.ts";
import { coldStartTable } from "./tables.ts";

/** Each reads one entry as a fresh process does, prints it, and ends. `url` and `address` are there already. */
const programs = [
  {
    // By require: an import takes twice as long on Node 20.
    name: "valkey-glide by hand",
    program: `
      const { GlideClient, Logger } = createRequire(import.meta.url)("@valkey/valkey-glide");
      Logger.setLoggerConfig("off");
      const client = await GlideClient.createClient({ addresses: [address] });
      console.log(JSON.parse(await client.get("key")).name);
      client.close();`,
  },
  {
    name: "iovalkey by hand",
    program: `
      const { Redis } = createRequire(import.meta.url)("iovalkey");
      const client = new Redis(address);
      console.log(JSON.parse(await client.get("key")).name);
      client.disconnect();`,
  },
  {
    name: "valkey-edge-cache",
    program: `
      const { createCache } = await import("valkey-edge-cache");
      const cache = createCache({ location: url, keyFunction: (key) => key });
      console.log((await cache.get("key")).name);
      await cache.close();`,
  },
  {
    name: "valkey-edge-cache, iovalkey()",
    program: `
      const { createCache, iovalkey } = await import("valkey-edge-cache");
      const cache = createCache({ location: url, keyFunction: (key) => key, connectionFactory: iovalkey() });
      console.log((await cache.get("key")).name);
      await cache.close();`,
  },
];

export interface ColdStartCase {
  readonly name: string;
  /** From the start of the process to its end, in milliseconds: the median of all rounds. */
  readonly processMs: number;
  /** To the first program's in the same round: the median. */
  readonly ratio: number;
}

const options = benchOptions();
const rounds = options.quick ? 5 : 41;
await using server = await startServer();
await server.command("SET", "key", JSON.stringify({ name: "value" }));
const cases = await measureAll();
const result = { environment: await environment(server.version, ["@valkey/valkey-glide", "iovalkey"]), cases };
console.log(`\n${toMarkdown(coldStartTable(result))}`);
if (isComplete(options)) await writeResult("cold-start", result);

async function measureAll(): Promise<ColdStartCase[]> {
  const times = programs.map((): number[] => []);
  // The first round fills the system's file cache; then each second round goes the other way.
  for (let round = -1; round < rounds; round++) {
    const order = [...programs.entries()];
    for (const [i, { program }] of round % 2 ? order : order.reverse()) {
      const ms = await run(program);
      if (round >= 0) times[i]?.push(ms);
    }
  }
  const [baseline = []] = times;
  return programs.map(({ name }, i) => ({
    name,
    processMs: median(times[i] ?? []),
    ratio: median(times[i]?.map((ms, round) => ms / (baseline[round] ?? Number.NaN)) ?? []),
  }));
}

async function run(program: string): Promise<number> {
  const given = `
    import { createRequire } from "node:module";
    const url = ${JSON.stringify(server.url)};
    const address = { host: "127.0.0.1", port: ${server.port} };`;
  const startMs = performance.now();
  const child = spawn(process.execPath, ["--input-type=module", "--eval", given + program], {
    cwd: import.meta.dirname,
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  child.stdout.on("data", (chunk) => {
    output += chunk;
  });
  const [code] = await once(child, "close");
  if (code !== 0 || output !== "value\n") throw new Error(`a process failed that was to run: ${program}`);
  return performance.now() - startMs;
}
