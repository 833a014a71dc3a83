const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export function toBytes(text: string | Uint8Array): Uint8Array {
  return typeof text === "string" ? encoder.encode(text) : text;
}

/** @throws TypeError on bytes that are not UTF-8 */
export function toText(bytes: string | Uint8Array): string {
  return typeof bytes === "string" ? bytes : decoder.decode(bytes);
}
