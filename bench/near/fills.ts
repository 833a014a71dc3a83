import type { Cache } from "valkey-edge-cache";
import { type Comparison, compare, type Sampling } from "../harness/measure.ts";
import { type BenchOptions, isWanted } from "../harness/options.ts";
import { sizes } from "../stores/values.ts";
import { open, untilNear } from "./contenders.ts";
import type { HitCase } from "./hits.ts";

const KEYS = 5_000;
const FULL: Sampling = { rounds: 9, sliceMs: 100 };
const QUICK: Sampling = { rounds: 3, sliceMs: 50 };

/** Reads that a near cache can't answer, so that it keeps their replies, beside the same reads without one. */
export async function measureFills(url: string, options: BenchOptions): Promise<HitCase[]> {
  const operation = "get, a read that fills";
  if (!isWanted(operation, options)) return [];
  const make = sizes.find(({ name }) => name === "1 KB")?.make ?? (() => ({}));
  const plain = open(url, { keyPrefix: "fills" });
  // It has room for one entry in ten, so that each read of a round finds none.
  const near = open(url, { keyPrefix: "fills", near: "copy", maxEntries: KEYS / 10 });
  const keys = Array.from({ length: KEYS }, (_key, i) => `place:${i}`);
  for (const [i, key] of keys.entries()) await plain.set(key, make(i));
  await untilNear(near, keys[0] ?? "");
  const cases: HitCase[] = [];
  for (const callers of [1, 50]) {
    const contenders = [reads("without a near cache", plain, keys), reads("near cache, copy", near, keys)];
    const compared: Comparison[] = await compare(contenders, callers, options.quick ? QUICK : FULL);
    cases.push({ operation, callers, contenders: compared });
    console.log(
      `${operation}, ${callers}: ${compared.map(({ name, ratio }) => `${name} ${ratio.toFixed(2)}`).join(", ")}`,
    );
  }
  await plain.close();
  await near.close();
  return cases;
}

function reads(name: string, cache: Cache, keys: readonly string[]) {
  let next = 0;
  return {
    name,
    call: () => {
      next = next === keys.length - 1 ? 0 : next + 1;
      return cache.get(keys[next] ?? "");
    },
  };
}
