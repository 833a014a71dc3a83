import { type Fields, fieldValue, listMembers } from "./fields.js";
import type { ResponseDirectives } from "./response-directives.js";

/** Fields of one connection (RFC 9110 §7.6.1) or of one proxy (RFC 9111 §3.1), which are not passed on or stored. */
const HOP_BY_HOP = [
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authentication-info",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
];

/** Fields that describe the stored body, which a response without that body can't change. RFC 9111 §3.2. */
const ABOUT_THE_BODY = ["content-length", "content-encoding", "content-range"];

/** Fields that no response from the store may carry: one client's cookie is not another's. */
const NEVER_STORED = ["set-cookie", "age"];

/** What to keep of a response's fields. RFC 9111 §3.1. */
export function fieldsToStore(fields: Fields, directives: ResponseDirectives): Fields {
  const left = new Set([...HOP_BY_HOP, ...NEVER_STORED, ...listedInConnection(fields), ...limited(directives)]);
  return fields.filter(([name]) => !left.has(name));
}

/**
 * Stored fields with those of a newer response in their place. Age, which the newer response may carry, takes part,
 * as the new age is computed from the result. RFC 9111 §3.2.
 */
export function updateFields(stored: Fields, update: Fields): Fields {
  const left = new Set([...HOP_BY_HOP, ...ABOUT_THE_BODY, "set-cookie", ...listedInConnection(update)]);
  const newer = update.filter(([name]) => !left.has(name));
  const replaced = new Set(newer.map(([name]) => name));
  return [...stored.filter(([name]) => !replaced.has(name)), ...newer];
}

/** Fields to pass on to the next hop. RFC 9110 §7.6.1. */
export function withoutHopByHop(fields: Fields): Fields {
  const left = new Set([...HOP_BY_HOP, ...listedInConnection(fields)]);
  return fields.filter(([name]) => !left.has(name));
}

function listedInConnection(fields: Fields): string[] {
  return listMembers(fieldValue(fields, "connection") ?? "").map((name) => name.toLowerCase());
}

function limited({ noCache, private: isPrivate }: ResponseDirectives): string[] {
  return [noCache, isPrivate].flatMap((names) => (typeof names === "boolean" ? [] : names));
}
