import type { Reply } from "../core/command.js";
import { ReplyError } from "../core/errors.js";
import type { Address } from "../core/location.js";
import { toText } from "../core/text.js";

/** Where the primary is and, when they were asked for, its replicas that are up. */
export interface Servers {
  readonly primary: Address;
  readonly replicas: readonly Address[];
}

/** `SENTINEL GET-MASTER-ADDR-BY-NAME`: two texts; `undefined` when the sentinel watches over nothing of that name. */
export function toPrimary(reply: Reply): Address | undefined {
  if (!Array.isArray(reply)) return undefined;
  const [host, port] = reply.map(textOf);
  return toAddress(host, port);
}

/** `SENTINEL REPLICAS`: for each one its fields, in pairs under RESP3, one after the other under RESP2. */
export function toReplicas(reply: Reply): Address[] {
  if (!Array.isArray(reply)) return [];
  return reply
    .map(toFields)
    .filter(isUp)
    .map((fields) => toAddress(fields.get("ip"), fields.get("port")))
    .filter((address) => address !== undefined);
}

/** `+switch-master`: the service, then host and port of the old primary, then those of the new one. */
export function isSwitchOf(service: string, message: string): boolean {
  return message.startsWith(`${service} `);
}

/** `ROLE`: whether it is a primary's, and true where the user may not ask. */
export function isPrimarysRole(reply: Reply): boolean {
  if (reply instanceof ReplyError) return reply.code === "NOPERM";
  return Array.isArray(reply) && textOf(reply[0] ?? null) === "master";
}

function toFields(reply: Reply): Map<string, string> {
  const flat = Array.isArray(reply) ? reply.flat(1).map(textOf) : [];
  const fields = new Map<string, string>();
  for (let i = 0; i + 1 < flat.length; i += 2) fields.set(flat[i] ?? "", flat[i + 1] ?? "");
  return fields;
}

/** A replica that the sentinel takes for down, or has not spoken with, or that has no data yet, answers no reads. */
function isUp(fields: Map<string, string>): boolean {
  return fields.get("flags") === "slave" && fields.get("master-link-status") === "ok";
}

function toAddress(host: string | undefined, port: string | undefined): Address | undefined {
  const number = Number(port);
  return host && Number.isInteger(number) && number > 0 && number < 65_536 ? { host, port: number } : undefined;
}

function textOf(reply: Reply): string {
  return typeof reply === "string" || reply instanceof Uint8Array ? toText(reply) : "";
}
