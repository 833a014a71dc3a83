import type { Address } from "../core/location.js";
import type { Value } from "./resp.js";

export const SLOTS = 16_384;

/** CRC16 by the polynomial of XMODEM, for each byte. Source: the cluster specification of Valkey, appendix A. */
const TABLE = Uint16Array.from({ length: 256 }, (_none, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
  return crc & 0xffff;
});

/** The slot of a key in a cluster: that of its hash tag, where it has one. */
export function slotOf(key: string): number {
  const open = key.indexOf("{");
  const close = open < 0 ? -1 : key.indexOf("}", open + 1);
  const tag = close > open + 1 ? key.slice(open + 1, close) : key;
  let crc = 0;
  for (let i = 0; i < tag.length; i++) {
    const code = tag.charCodeAt(i);
    if (code > 0x7f) return slotOfBytes(Buffer.from(tag));
    crc = ((crc << 8) & 0xffff) ^ (TABLE[(crc >> 8) ^ code] ?? 0);
  }
  return crc % SLOTS;
}

function slotOfBytes(bytes: Uint8Array): number {
  let crc = 0;
  for (const byte of bytes) crc = ((crc << 8) & 0xffff) ^ (TABLE[(crc >> 8) ^ byte] ?? 0);
  return crc % SLOTS;
}

/** Slots from `start` to `end`, and their primary. */
export interface SlotRange {
  readonly start: number;
  readonly end: number;
  readonly primary: Address;
}

/** The reply to CLUSTER SLOTS. @param asked the node that has answered, whose own address it may not know */
export function toRanges(reply: Value, asked: Address): SlotRange[] | undefined {
  if (!Array.isArray(reply)) return undefined;
  return reply.flatMap((row) => {
    const [start, end, node] = Array.isArray(row) ? row : [];
    const [host, port] = Array.isArray(node) ? node : [];
    if (typeof start !== "number" || typeof end !== "number" || typeof port !== "number") return [];
    const name = typeof host === "string" && host !== "" && host !== "?" ? host : asked.host;
    return [{ start, end, primary: { host: name, port } }];
  });
}
