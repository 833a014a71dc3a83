import { openDedupe } from "../async-cache-dedupe.ts";
import { GRACE, type Subject } from "../subject.ts";

export async function open(url: string, ttl: number): Promise<Subject> {
  return openDedupe(url, { ttl, stale: GRACE });
}
