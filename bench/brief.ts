import type { ColdStartCase } from "./cold-start.ts";
import { casesOf } from "./harness/results.ts";
import { count } from "./harness/table.ts";
import type { HerdCase } from "./herd.ts";
import type { HitCase } from "./near/hits.ts";
import type { GridCase } from "./stores/grid.ts";

/** The main results as a list of sentences, which say figures and leave the judgement to the reader. */
export async function brief(): Promise<string> {
  const herd = await casesOf<HerdCase>("herd");
  const basic = (await casesOf<GridCase>("basic")).filter(
    ({ operation, size }) => operation === "get" && size === "1 KB",
  );
  const near = (await casesOf<HitCase>("near")).filter(({ callers }) => callers === 1);
  const cold = await casesOf<ColdStartCase>("cold-start");
  const others = herd.filter(({ name }) => !name.startsWith("valkey-edge-cache")).map((one) => one.cold.loads);
  const loads = find(herd, "valkey-edge-cache, herd()").cold.loads;
  const ratios = (name: string) =>
    basic.map(({ callers, contenders }) => `${find(contenders, name).ratio.toFixed(2)} for ${count(callers)}`);
  const read = (operation: string, name: string) =>
    count(near.flatMap((one) => (one.operation === operation ? find(one.contenders, name) : []))[0]?.perSecond ?? NaN);
  const start = (name: string) => count(find(cold, name).request.processMs);
  const sentences = {
    Loads: `Eight processes with 50 callers each miss one key at once. \`herd()\` loads it ${times(loads)}. The other libraries load it ${Math.min(...others)} to ${Math.max(...others)} times.`,
    "Reads over the server": `\`get\` of 1 KB as a ratio to plain valkey-glide, by callers: ${ratios("valkey-edge-cache").join(", ")}. Plain ioredis: ${ratios("plain ioredis").join(", ")}.`,
    "Reads in the process": `Copies, calls per second of one caller: ${read("get, copies", "near cache, copy")} with \`nearCache()\`, ${read("get, copies", "an LRU with JSON.parse")} with an LRU and \`JSON.parse\`, ${read("get, copies", "node-redis, client-side cache")} with node-redis, ${read("get, copies", "bentocache, serialized")} with bentocache. Shared values: ${read("get, shared", "near cache, shared")} with \`nearCache()\`, ${read("get, shared", "bentocache, by reference")} with bentocache.`,
    "Cold starts": `A fresh process answers a request and ends after ${start("valkey-edge-cache")} ms. It takes ${start("valkey-edge-cache, iovalkey()")} ms with \`iovalkey()\`, and ${start("plain GLIDE")} ms with plain valkey-glide.`,
  };
  return Object.entries(sentences)
    .map(([name, text]) => `- **${name}.** ${text}`)
    .join("\n");
}

function find<One extends { readonly name: string }>(list: readonly One[], name: string): One {
  const found = list.find((one) => one.name === name);
  if (!found) throw new Error(`the results have nothing named ${name}; rename it in bench/brief.ts, too`);
  return found;
}

function times(value: number): string {
  return value === 1 ? "once" : `${value} times`;
}
