import type { Cache } from "../../cache/cache.js";
import type { Settings } from "../../cache/settings.js";
import { DefaultClient } from "../../client/default-client.js";
import { HerdClient } from "../../client/herd/client.js";
import { refusedCommand } from "../../core/availability.js";
import type { Command, Reply } from "../../core/connection.js";
import { ConnectionError, ReplyError, TimeoutError } from "../../core/errors.js";
import { makePattern } from "../../core/key.js";
import { toText } from "../../core/text.js";
import { Skip } from "./finding.js";

/** What one server says of itself. A cluster has one for each primary. */
export interface ServerInfo {
  /** Its address, where there are several. */
  readonly address: string | undefined;
  text(field: string): string | undefined;
  /** `undefined` also where the field is no number. */
  number(field: string): number | undefined;
  /** The fields whose names match. */
  matching(name: RegExp): readonly (readonly [name: string, value: string])[];
}

/** Probes: a refusal is an answer, and other callers of the connection don't hear of it. */
const PROBE = { readOnly: true, primary: true, probes: true } as const;
/** Proxies such as twemproxy. */
const HANGS_UP = "a proxy is between, which closes the connection on commands that it doesn't know";

/** A version, or the cache's own. */
type Version = number | "own" | "*" | "lock";

/** The cache that the doctor looks at, and what its server has said so far. */
export class Subject {
  readonly cache: Cache;
  readonly settings: Settings;
  /** Why the server can't be asked; `undefined` while it can. */
  unreachable: string | undefined;
  /** Whether a proxy closes the connection on commands that it doesn't know: then none of those is sent any more. */
  hangsUp = false;
  #nodes = 0;
  #info: Promise<readonly ServerInfo[]> | undefined;

  constructor(cache: Cache) {
    this.cache = cache;
    this.settings = cache.parts.settings;
  }

  /** The server, for messages. */
  get server(): string {
    return this.settings.place.display;
  }

  /** Whether the connection is one to a whole cluster. */
  get isCluster(): boolean {
    const { about } = this.settings;
    if (about?.factory === "glideCluster") return true;
    // The default factory finds a cluster by itself, of which INFO then names the nodes.
    return about?.factory === "glideElseIovalkey" && this.#nodes > 1;
  }

  get commandTimeoutMs(): number {
    return this.settings.about?.commandTimeoutMs ?? 1_000;
  }

  /** The pattern of stored keys of a glob. */
  readonly pattern = (glob: string, version: Version): string => {
    const { keyFunction, prefix } = this.settings;
    return makePattern(keyFunction, glob, prefix, this.#versionOf(version));
  };

  /** The stored key. */
  readonly key = (key: string, version: Version): string => {
    const { keyFunction, prefix } = this.settings;
    return keyFunction(key, prefix, this.#versionOf(version));
  };

  #versionOf(version: Version): number | "*" | "lock" {
    return version === "own" ? this.settings.version : version;
  }

  /** Which client the cache has. */
  get clientKind(): "herd" | "default" | "other" {
    const { client } = this.cache.parts;
    if (client instanceof HerdClient) return "herd";
    return client instanceof DefaultClient ? "default" : "other";
  }

  /** The replies to commands that every proxy knows, errors included. @throws {ConnectionError} */
  send(commands: readonly Command[]): Promise<Reply[]> {
    return this.cache.connection.send(commands, PROBE);
  }

  /** The reply to a command that a proxy or an ACL may refuse. @throws {Skip} where it does */
  async ask(command: Command): Promise<Exclude<Reply, ReplyError>> {
    if (this.hangsUp) throw new Skip(HANGS_UP);
    const [reply = null] = await this.#sendUnknown([command]);
    if (reply instanceof ReplyError) throw refusal(reply, command, this.server);
    return reply;
  }

  /** As `ask`, for several. Errors are among the replies. @throws {Skip} */
  askAll(commands: readonly Command[]): Promise<Reply[]> {
    if (this.hangsUp) throw new Skip(HANGS_UP);
    return this.#sendUnknown(commands);
  }

  async #sendUnknown(commands: readonly Command[]): Promise<Reply[]> {
    try {
      return await this.send(commands);
    } catch (error) {
      const isLost = error instanceof ConnectionError && error.mayHaveRun && !(error instanceof TimeoutError);
      if (!isLost) throw error;
      // Either the server has gone, or something on the way doesn't like the command: PING tells.
      await this.send([["PING"]]);
      this.hangsUp = true;
      throw new Skip(HANGS_UP);
    }
  }

  /** What INFO says of the server, or of each primary of a cluster. Asked once. @throws {Skip} where it is refused */
  info(): Promise<readonly ServerInfo[]> {
    this.#info ??= this.ask(["INFO"]).then((reply) => {
      const servers = toServers(reply);
      this.#nodes = servers.length;
      return servers;
    });
    return this.#info;
  }

  /** A setting of the server; `undefined` where it is not known, as services refuse CONFIG. @throws {Skip} */
  async config(...names: readonly string[]): Promise<ReadonlyMap<string, string> | undefined> {
    // One after another, as servers before 7.0 take one name only.
    const replies = await this.askAll(names.map((name) => ["CONFIG", "GET", name] as const));
    if (replies.every((reply) => reply instanceof ReplyError)) return undefined;
    return new Map(replies.flatMap((reply) => (Array.isArray(reply) ? pairsOf(reply) : [])));
  }
}

/** Why a command was refused, and what would allow it. */
export function refusal(reply: ReplyError, [name, second]: Command, server: string): Skip {
  const isPart = /^(?:ACL|CLIENT|CLUSTER|CONFIG|SLOWLOG)$/.test(name);
  const command = isPart ? `${name} ${second}` : name;
  const rule = `+${command.toLowerCase().replace(" ", "|")}`;
  const [, user = "<user>"] = /User (\S+) has no/i.exec(reply.detail) ?? [];
  if (reply.code === "NOPERM") {
    return new Skip(
      `the user may not send ${command}`,
      `to have it checked, run "ACL SETUSER ${user} ${rule}" at ${server}`,
    );
  }
  const isUnknown = refusedCommand(reply) !== undefined;
  return new Skip(
    isUnknown ? `the server, or a proxy before it, has no ${command}` : `${command} fails: ${reply.message}`,
  );
}

/** Replies of a map, which are pairs, or flat under RESP2. */
export function pairsOf(reply: readonly Reply[]): (readonly [string, string])[] {
  const flat = reply.flat(1).map(textOf);
  return flat.flatMap((name, i) => (i % 2 === 0 ? [[name, flat[i + 1] ?? ""] as const] : []));
}

export function textOf(reply: Reply): string {
  return reply instanceof Uint8Array ? toText(reply) : String(reply ?? "");
}

/** In a cluster the reply is a list of nodes, each with its text. */
function toServers(reply: Reply): ServerInfo[] {
  if (!Array.isArray(reply)) return [toServer(undefined, textOf(reply))];
  return pairsOf(reply)
    .sort(([one], [other]) => one.localeCompare(other))
    .map(([address, text]) => toServer(address, text));
}

function toServer(address: string | undefined, text: string): ServerInfo {
  const lines = text.split(/\r?\n/).filter((line) => line.includes(":"));
  const fields = new Map(lines.map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1)]));
  return {
    address,
    text: (field) => fields.get(field),
    number(field) {
      const value = fields.get(field);
      return value === undefined || value === "" || !Number.isFinite(Number(value)) ? undefined : Number(value);
    },
    matching: (name) => [...fields].filter(([field]) => name.test(field)),
  };
}

/** A text where the server is one of several. */
export function at({ address }: ServerInfo, text: string): string {
  return address === undefined ? text : `${address}: ${text}`;
}

/** The sum of a figure over all servers; `undefined` where one of them doesn't have it. */
export function sum(servers: readonly ServerInfo[], field: string): number | undefined {
  const figures = servers.map((server) => server.number(field));
  return figures.reduce<number | undefined>(
    (total, one) => (total === undefined || one === undefined ? undefined : total + one),
    0,
  );
}
