const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Encodes as UTF-8. */
export function toBytes(text: string | Uint8Array): Uint8Array {
  return typeof text === "string" ? encoder.encode(text) : text;
}

/** Decodes UTF-8. @throws TypeError on other bytes */
export function toText(bytes: string | Uint8Array): string {
  return typeof bytes === "string" ? bytes : decoder.decode(bytes);
}

/** Random characters of base64, of six bits each. */
export function randomText(length: number): string {
  const bytes = crypto.getRandomValues(new Uint8Array(Math.ceil((length * 3) / 4)));
  return btoa(String.fromCharCode(...bytes)).slice(0, length);
}

/** Parts as one text, which no other parts have: each behind its length. */
export function joinParts(parts: readonly string[]): string {
  return parts.map((part) => `${part.length}:${part}`).join("");
}
