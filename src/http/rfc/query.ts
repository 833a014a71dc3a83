import { isListed } from "./message.js";

/** How queries are normalised before they are part of the key. */
export interface QueryRules {
  /** Parameters to remove, by name; a name may end in `*`. */
  readonly remove?: readonly string[] | undefined;
  /** Sort parameters by name; those of one name keep their order. @default false */
  readonly sort?: boolean | undefined;
}

/** A path with its query normalised. Names and values are compared as they are written, and not decoded. */
export function normalizeQuery(path: string, { remove = [], sort = false }: QueryRules): string {
  const start = path.indexOf("?");
  if (start < 0) return path;
  const given = path.slice(start + 1);
  const kept = given.split("&").filter((pair) => !isListed(nameOf(pair), remove));
  if (sort) kept.sort((a, b) => compare(nameOf(a), nameOf(b)));
  const query = kept.join("&");
  return query === given ? path : path.slice(0, start) + (query === "" ? "" : `?${query}`);
}

function nameOf(pair: string): string {
  const [name = ""] = pair.split("=", 1);
  return name;
}

/** By code units, so that every process sorts alike. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
