import { cachified } from "@epic-web/cachified";
import { openAdapter } from "../cachified-adapter.ts";
import { GRACE, type Subject } from "../subject.ts";

export async function open(url: string, ttl: number): Promise<Subject> {
  const cache = await openAdapter(url);
  const lifetime = { ttl: ttl * 1_000, staleWhileRevalidate: GRACE * 1_000 };
  return { getOrSet: (key, getFreshValue) => cachified({ cache, key, ...lifetime, getFreshValue }) };
}
