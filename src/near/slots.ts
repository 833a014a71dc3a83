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

/** The primaries in the reply to CLUSTER SLOTS. @param asked the host that has answered, which may not know its own address */
export function toPrimaries(reply: Value, asked: string): Address[] {
  const rows = Array.isArray(reply) ? reply : [];
  return rows.flatMap((row) => {
    const [, , node] = Array.isArray(row) ? row : [];
    const [host, port] = Array.isArray(node) ? node : [];
    if (typeof port !== "number") return [];
    return [{ host: typeof host === "string" && host !== "" && host !== "?" ? host : asked, port }];
  });
}

/** What a node of a cluster says of itself and of its cluster. */
export interface NodeView {
  /** Its cluster serves requests. */
  readonly isWell: boolean;
  /** The slots that it alone serves. While a slot is moved, two nodes serve it. */
  readonly slots: readonly { readonly start: number; readonly end: number }[];
  /** Another text when any of this has changed, or the members of the cluster. */
  readonly text: string;
}

/** @param info the reply to CLUSTER INFO @param nodes the reply to CLUSTER NODES */
export function toView(info: Value, nodes: Value): NodeView {
  const lines = typeof info === "string" ? info.split(/\r?\n/) : [];
  const cluster = lines.filter((line) =>
    /^cluster_(?:state|slots_assigned|known_nodes|size|current_epoch):/.test(line),
  );
  const own = typeof nodes === "string" ? /^\S+ \S+ (?:\S+,)?myself\S* .*$/m.exec(nodes)?.[0] : undefined;
  // Eight fields come before the slots: "5", "7-9", and "[5->-node]" or "[5-<-node]" while slot 5 is moved.
  const fields = own?.split(" ").slice(8) ?? [];
  const isWell = cluster.includes("cluster_state:ok");
  const moving = new Set(fields.flatMap((field) => /^\[(\d+)->-/.exec(field)?.[1] ?? []).map(Number));
  const slots = fields.flatMap((field) => {
    const [, start, end = start] = /^(\d+)(?:-(\d+))?$/.exec(field) ?? [];
    return start === undefined || !isWell ? [] : without(moving, Number(start), Number(end));
  });
  return { isWell, slots, text: [...cluster, ...fields].join(" ") };
}

/** A range of slots without some of them. */
function without(moving: ReadonlySet<number>, start: number, end: number): { start: number; end: number }[] {
  const within = [...moving].filter((slot) => slot >= start && slot <= end).sort((a, b) => a - b);
  const starts = [start, ...within.map((slot) => slot + 1)];
  const ends = [...within.map((slot) => slot - 1), end];
  return starts.map((from, i) => ({ start: from, end: ends[i] ?? end })).filter((range) => range.start <= range.end);
}
