import { ageSeconds } from "./age.js";
import { appendCacheStatus } from "./cache-status.js";
import type { Field, Fields } from "./fields.js";
import { withoutHopByHop } from "./stored-fields.js";

/** The fields of an answer from the store: its own, Date among them, with its age now. RFC 9111 §4. */
export function fieldsFromStore(stored: Fields, ageMs: number, cacheStatusMember: string): Fields {
  const fields: Field[] = [];
  let others = "";
  for (const field of stored) {
    if (field[0] === "cache-status") others += `${field[1]}, `;
    else if (field[0] !== "age") fields.push(field);
  }
  fields.push(["age", String(ageSeconds(ageMs))], ["cache-status", others + cacheStatusMember]);
  return fields;
}

/** The fields of an answer from the origin, as they are passed on. */
export function fieldsFromOrigin(response: Fields, cacheStatusMember: string): Fields {
  return appendCacheStatus(withoutHopByHop(response), cacheStatusMember);
}
