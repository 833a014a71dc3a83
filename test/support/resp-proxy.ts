import { connect, createServer, type Socket } from "node:net";
import { encode } from "../../src/connection/probe.js";
import { HOST, listenAnywhere } from "./ports.js";

/** What proxies such as Envoy and twemproxy pass on: the cache's own commands on keys, and scripts. */
const PASSED =
  /^(?:AUTH|PING|GET|SET|MGET|MSET|DEL|UNLINK|EXISTS|TYPE|P?TTL|P?EXPIRE|P?EXPIREAT|PERSIST|INCRBY|DECRBY|EVAL|EVALSHA|H(?:GET|SET|MGET|DEL|GETALL|LEN)|S(?:ADD|REM|MEMBERS|ISMEMBER|CARD))$/i;

/** Has the server answer with an error. */
const CROSS_SLOT_ERROR = 'return redis.error_reply("CROSSSLOT Keys in request don\'t hash to the same slot")';
const CROSSSLOT = `*3\r\n$4\r\nEVAL\r\n$${CROSS_SLOT_ERROR.length}\r\n${CROSS_SLOT_ERROR}\r\n$1\r\n0\r\n`;

export interface RespProxyOptions {
  /** What it does with other commands: an error reply as Envoy, the end of the connection as twemproxy, or it passes them on. */
  unknown: "error" | "close" | "pass";
  /** Commands that it doesn't know, although it passes on others of their kind. @default none */
  refused?: readonly string[];
  /** A command that it refuses as a cluster refuses keys of several slots. @default none */
  crossSlot?: string;
  /** What it sends in the place of commands, by their names in upper case. @default the commands themselves */
  instead?: Readonly<Record<string, readonly string[]>>;
}

export interface RespProxy extends AsyncDisposable {
  readonly port: number;
  readonly url: string;
  /** The names of the commands that it refused, in upper case. */
  readonly refused: readonly string[];
  /** Connections accepted since the start. */
  readonly accepted: number;
}

/** Starts a proxy in front of a server that knows a part of the commands only. */
export async function startRespProxy(
  target: number,
  { unknown, refused: unknowns = [], crossSlot, instead = {} }: RespProxyOptions,
): Promise<RespProxy> {
  const refused: string[] = [];
  const open = new Set<Socket>();
  let accepted = 0;
  const isPassed = (name: string): boolean => (unknown === "pass" || PASSED.test(name)) && !unknowns.includes(name);
  const listener = createServer({ noDelay: true }, (client) => {
    accepted++;
    const server = connect({ host: HOST, port: target, noDelay: true });
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      open.add(one);
      one
        .on("error", () => {})
        .once("close", () => {
          open.delete(one);
          other.destroy();
        });
    }
    server.on("data", (bytes) => client.write(bytes));
    let rest = Buffer.alloc(0);
    client.on("data", (bytes) => {
      rest = Buffer.concat([rest, bytes]);
      for (let end = endOf(rest); end > 0; end = endOf(rest)) {
        const command = rest.subarray(0, end);
        const name = nameOf(command);
        rest = rest.subarray(end);
        if (name === crossSlot) server.write(CROSSSLOT);
        else if (instead[name]) server.write(encode(instead[name]));
        else if (isPassed(name)) server.write(command);
        else {
          refused.push(name);
          if (unknown === "close") return void client.destroy();
          // The server's own error for an unknown command keeps the order of the replies.
          server.write("*1\r\n$7\r\nUNKNOWN\r\n");
        }
      }
    });
  });
  const port = await listenAnywhere(listener);
  return {
    port,
    url: `valkey://${HOST}:${port}`,
    refused,
    get accepted() {
      return accepted;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => listener.close(resolve));
    },
  };
}

/** The length of the first command; 0 while it is incomplete. */
function endOf(bytes: Buffer): number {
  const header = lineAt(bytes, 0);
  if (!header) return 0;
  let at = header.next;
  for (let part = 0; part < Number(header.text.slice(1)); part++) {
    const length = lineAt(bytes, at);
    if (!length) return 0;
    at = length.next + Number(length.text.slice(1)) + 2;
  }
  return at <= bytes.length ? at : 0;
}

function nameOf(command: Buffer): string {
  const length = lineAt(command, lineAt(command, 0)?.next ?? 0);
  return length
    ? command.toString("latin1", length.next, length.next + Number(length.text.slice(1))).toUpperCase()
    : "";
}

function lineAt(bytes: Buffer, start: number): { text: string; next: number } | undefined {
  const end = bytes.indexOf("\r\n", start);
  return end < 0 ? undefined : { text: bytes.toString("latin1", start, end), next: end + 2 };
}
