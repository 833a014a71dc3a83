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

/** Random bytes that were drawn and not used yet: one draw for many texts takes a tenth of the time. */
const drawn = new Uint8Array(4_096);
let used = drawn.length;

/** Random characters of base64, of six bits each. @param length up to 1,000 */
export function randomText(length: number): string {
  const count = Math.ceil((length * 3) / 4);
  if (used + count > drawn.length) {
    crypto.getRandomValues(drawn);
    used = 0;
  }
  used += count;
  return btoa(String.fromCharCode(...drawn.subarray(used - count, used))).slice(0, length);
}
