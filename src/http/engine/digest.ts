import { toBytes } from "../../core/text.js";

/** So many characters of a SHA-256: each stands for six bits. */
export async function digest(text: string, length: number): Promise<string> {
  const bytes = await crypto.subtle.digest("SHA-256", toBytes(text) as Uint8Array<ArrayBuffer>);
  return btoa(String.fromCharCode(...new Uint8Array(bytes)))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .slice(0, length);
}
