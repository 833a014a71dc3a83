import type { Fields } from "../fields.js";
import { fieldsFromStore } from "../served-fields.js";
import { type Answer, conditionally } from "./answer.js";
import type { Inquiry } from "./inquiry.js";
import type { Entry } from "./record.js";

/** What a stored response is served with, where that is not a plain hit. */
export interface Shown {
  readonly member: string;
  readonly ageMs: number;
  /** Set-Cookie lines that the origin has just sent to this client. */
  readonly cookies?: Fields;
}

/** Answers a request from a stored response. @throws {DecodeError} */
export async function serve(
  { asked, status, unpack }: Inquiry,
  { head, body }: Entry,
  { ageMs, ttlMs }: { readonly ageMs: number; readonly ttlMs: number },
  shown?: Shown,
): Promise<Answer> {
  const member = shown?.member ?? status({ how: "hit", ttlMs });
  const fields = [...fieldsFromStore(head.fields, shown?.ageMs ?? ageMs, member), ...(shown?.cookies ?? [])];
  const content = head.packed && asked.method !== "HEAD" ? await unpack(body) : body;
  return conditionally(asked, { status: head.status, fields, body: content }, head.responseTimeMs);
}
