import { cachified } from "@epic-web/cachified";
import { openAdapter } from "../cachified-adapter.ts";
import type { Subject } from "../subject.ts";

export async function open(url: string, ttl: number): Promise<Subject> {
  const cache = await openAdapter(url);
  return { getOrSet: (key, getFreshValue) => cachified({ cache, key, ttl: ttl * 1_000, getFreshValue }) };
}
