import type { Command } from "../core/connection.js";

/** What CLIENT SETINFO sends to servers. The version is that of package.json. */
export const LIBRARY = { name: "valkey-edge-cache", version: "1.0.0-rc.1" } as const;

export interface ClientInfo {
  /** The server, for messages. */
  readonly name: string;
  readonly clientName: string | undefined;
}

/** What servers refused, by their names, for the rest of the process. */
const refused = new Map<string, ReadonlySet<string>>();

const nameOf = ([one, other]: Command): string => `${one} ${other}`;

/** The commands with which a connection says what it is, without those that the server refused. */
export function introduction({ name, clientName }: ClientInfo): Command[] {
  const commands: Command[] = [
    ["CLIENT", "SETINFO", "LIB-NAME", LIBRARY.name],
    ["CLIENT", "SETINFO", "LIB-VER", LIBRARY.version],
  ];
  if (clientName !== undefined) commands.unshift(["CLIENT", "SETNAME", clientName]);
  return commands.filter((command) => !refused.get(name)?.has(nameOf(command)));
}

/** A server refused these commands, or closed the connection because of them. Connections go on without. */
export function omit(commands: readonly Command[], { name }: ClientInfo): void {
  if (commands.length > 0) refused.set(name, new Set([...(refused.get(name) ?? []), ...commands.map(nameOf)]));
}

/** What is not sent to a server, as its status has it. */
export function omitted(name: string): { readonly unavailable?: readonly string[] } {
  const commands = refused.get(name);
  return commands ? { unavailable: [...commands] } : {};
}
