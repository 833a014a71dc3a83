import type { Cache } from "../../cache/cache.js";
import type { MaybePromise } from "../../core/maybe-promise.js";
import { ageSeconds } from "../age.js";
import { NO_WISHES } from "../request-directives.js";
import { decide } from "../select.js";
import { fieldsFromStore } from "../served-fields.js";
import type { Answer } from "./answer.js";
import type { Settings } from "./options.js";
import type { Entry } from "./record.js";

/**
 * Answers a plain request, which has no say in it (`ClientRequest`), from a response without Vary: as `handle` would, with
 * none of what other requests need. `undefined` where more is to be done than to serve it. @throws {DecodeError}
 * @param prefix of the cache's part of Cache-Status, up to the number of seconds that are left
 */
export function hit(
  { head, body, invalid }: Entry,
  cache: Cache,
  { policy, clock }: Settings,
  prefix: string,
): MaybePromise<Answer> | undefined {
  const decision = decide({ stored: head, invalid }, NO_WISHES, policy, clock.now());
  if (decision.action !== "serve" || decision.why !== "fresh") return undefined;
  const { status } = head;
  const fields = fieldsFromStore(head.fields, decision.ageMs, prefix + ageSeconds(decision.ttlMs));
  if (!head.packed) return { status, fields, body };
  return cache.decompressBytes(body).then((bytes) => ({ status, fields, body: bytes }));
}
