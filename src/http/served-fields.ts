import { ageSeconds } from "./age.js";
import { appendCacheStatus } from "./cache-status.js";
import { type Fields, withField } from "./fields.js";
import { withoutHopByHop } from "./stored-fields.js";

/** The fields of an answer from the store: its own, Date among them, with its age now. RFC 9111 §4. */
export function fieldsFromStore(stored: Fields, ageMs: number, cacheStatusMember: string): Fields {
  return appendCacheStatus(withField(stored, "age", String(ageSeconds(ageMs))), cacheStatusMember);
}

/** The fields of an answer from the origin, as they are passed on. */
export function fieldsFromOrigin(response: Fields, cacheStatusMember: string): Fields {
  return appendCacheStatus(withoutHopByHop(response), cacheStatusMember);
}
