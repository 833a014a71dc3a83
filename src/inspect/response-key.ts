/** What the key of a response says. */
export interface ResponseKey {
  /** The name of the HTTP cache. */
  readonly name: string;
  /** The URL, or the application's own key in its place; empty where the key is hashed. */
  readonly url: string;
}

const START = /^http:([^{]*):\{/;

/** What the user's key of a response says: http/keys.ts and http/rfc/target.ts have its form. */
export function parseResponseKey(key: string): ResponseKey | undefined {
  const found = START.exec(key);
  if (!found) return undefined;
  const [start, name = ""] = found;
  const [first = "", ...others] = partsOf(key.slice(start.length));
  const isUrl = (first === "http" || first === "https") && others.length >= 2;
  return { name, url: isUrl ? `${first}://${others[0]}${others[1]}` : [first, ...others].join(" ").trim() };
}

/** The parts of a text that `joinParts` has made, up to what is of another form. */
function partsOf(text: string): string[] {
  const parts: string[] = [];
  for (let rest = text; ; ) {
    const [head, digits] = /^(\d{1,6}):/.exec(rest) ?? [];
    if (head === undefined || rest.length < head.length + Number(digits)) return parts;
    parts.push(rest.slice(head.length, head.length + Number(digits)));
    rest = rest.slice(head.length + Number(digits));
  }
}
