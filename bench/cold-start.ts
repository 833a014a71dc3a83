import { spawn } from "node:child_process";
import { once } from "node:events";
import { get } from "node:http";
import { text } from "node:stream/consumers";
import { benchOptions, isComplete } from "./harness/options.ts";
import { environment, writeResult } from "./harness/results.ts";
import { startServer } from "./harness/server.ts";
import { median } from "./harness/statistics.ts";
import { toMarkdown } from "./harness/table.ts";
import { coldStartTable } from "./tables.ts";

/** Each defines `read`, which gives an entry, and `close`. `url` and `address` are there already. */
const programs = [
  {
    // By require: an import takes twice as long on Node 20.
    name: "plain GLIDE",
    program: `
      const { GlideClient, Logger } = createRequire(import.meta.url)("@valkey/valkey-glide");
      Logger.setLoggerConfig("off");
      const client = await GlideClient.createClient({ addresses: [address] });
      const read = async () => JSON.parse(await client.get("key"));
      const close = () => client.close();`,
  },
  {
    name: "plain iovalkey",
    program: `
      const { Redis } = createRequire(import.meta.url)("iovalkey");
      const client = new Redis(address);
      const read = async () => JSON.parse(await client.get("key"));
      const close = () => client.disconnect();`,
  },
  {
    name: "valkey-edge-cache",
    program: `
      import { createCache } from "valkey-edge-cache";
      const cache = createCache({ location: url, keyFunction: (key) => key });
      const read = () => cache.get("key");
      const close = () => cache.close();`,
  },
  {
    name: "valkey-edge-cache, nearCache()",
    program: `
      import { createCache, nearCache } from "valkey-edge-cache";
      const cache = createCache({ location: url, keyPrefix: "", nearCache: nearCache() });
      const read = () => cache.get("key");
      const close = () => cache.close();`,
  },
  {
    name: "valkey-edge-cache, iovalkey()",
    program: `
      import { createCache, iovalkey } from "valkey-edge-cache";
      const cache = createCache({ location: url, keyFunction: (key) => key, connectionFactory: iovalkey() });
      const read = () => cache.get("key");
      const close = () => cache.close();`,
  },
];

/** What a process does with the entry before it ends: an HTTP server answers one request with it, or it is printed. */
const ends = {
  request: `
    import { createServer } from "node:http";
    const server = createServer(async (request, response) => {
      const { name } = await read();
      response.end(name, async () => {
        await close();
        server.close();
      });
    });
    server.listen(0, "127.0.0.1", () => console.log(server.address().port));`,
  entry: `
    console.log((await read()).name);
    await close();`,
};

type End = keyof typeof ends;

export interface ColdStartTime {
  /** From the start of the process to its end, in milliseconds: the median of all rounds. */
  readonly processMs: number;
  /** To the first program's in the same round: the median. */
  readonly ratio: number;
}

export type ColdStartCase = { readonly name: string } & Readonly<Record<End, ColdStartTime>>;

const options = benchOptions();
const rounds = options.quick ? 5 : 61;
await using server = await startServer();
await server.command("SET", "key", JSON.stringify({ name: "value" }));
// Where a near cache listens, keys have a prefix.
await server.command("SET", ":1:key", JSON.stringify({ name: "value" }));
const result = {
  environment: await environment(server.version, ["@valkey/valkey-glide", "iovalkey"]),
  cases: await measureAll(),
};
console.log(`\n${toMarkdown(coldStartTable(result))}`);
if (isComplete(options)) await writeResult("cold-start", result);

async function measureAll(): Promise<ColdStartCase[]> {
  const [request, entry] = [await measure("request"), await measure("entry")];
  return programs.map(({ name }, i) => ({ name, request: at(request, i), entry: at(entry, i) }));
}

function at(times: readonly ColdStartTime[], i: number): ColdStartTime {
  return times[i] ?? { processMs: Number.NaN, ratio: Number.NaN };
}

async function measure(end: End): Promise<ColdStartTime[]> {
  const times = programs.map((): number[] => []);
  // The first round fills the system's file cache; then each second round goes the other way.
  for (let round = -1; round < rounds; round++) {
    const order = [...programs.entries()];
    for (const [i, { program }] of round % 2 ? order : order.reverse()) {
      const ms = await run(program, end);
      if (round >= 0) times[i]?.push(ms);
    }
  }
  const [baseline = []] = times;
  return times.map((own) => ({
    processMs: median(own),
    ratio: median(own.map((ms, round) => ms / (baseline[round] ?? Number.NaN))),
  }));
}

async function run(program: string, end: End): Promise<number> {
  const given = `
    import { createRequire } from "node:module";
    const url = ${JSON.stringify(server.url)};
    const address = { host: "127.0.0.1", port: ${server.port} };`;
  const startMs = performance.now();
  const child = spawn(process.execPath, ["--input-type=module", "--eval", given + program + ends[end]], {
    cwd: import.meta.dirname,
    stdio: ["ignore", "pipe", "inherit"],
    timeout: 30_000,
  });
  const ended = once(child, "close");
  // One that fails may end without a word.
  const [printed] = await Promise.race([once(child.stdout, "data"), ended]);
  const output = end === "request" ? await answer(Number(printed)) : String(printed).trim();
  const [code] = await ended;
  const ms = performance.now() - startMs;
  if (code !== 0 || output !== "value") throw new Error(`a process failed that was to run: ${program}`);
  return ms;
}

async function answer(port: number): Promise<string> {
  const [response] = await once(get({ port, host: "127.0.0.1", agent: false }), "response");
  return text(response);
}
