import { chain, type MaybePromise } from "../../core/maybe-promise.js";
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
export function serve(
  inquiry: Inquiry,
  { head, body }: Entry,
  { ageMs, ttlMs }: { readonly ageMs: number; readonly ttlMs: number },
  shown?: Shown,
): MaybePromise<Answer> {
  const { asked } = inquiry;
  const member = shown?.member ?? inquiry.status({ how: "hit", ttlMs });
  const stored = fieldsFromStore(head.fields, shown?.ageMs ?? ageMs, member);
  const fields = shown?.cookies ? [...stored, ...shown.cookies] : stored;
  const content = head.packed && asked.method !== "HEAD" ? inquiry.unpack(body) : body;
  return chain(content, (bytes) =>
    conditionally(asked, { status: head.status, fields, body: bytes }, head.responseTimeMs),
  );
}
