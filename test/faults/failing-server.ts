import { createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { certificate } from "../support/certificates.js";
import { listenAnywhere } from "../support/ports.js";

/** The fault of a server, as its clients see it. */
export type Fault =
  | "none"
  | "wrong password"
  | "certificate"
  | "maxclients"
  | "reset"
  | "hanging"
  | "refuses valkey-glide"
  | "unknown database";

export interface FailingServer {
  readonly port: number;
  /** How many connections it has accepted. */
  readonly accepted: number;
  /** Sets the fault and closes all connections. */
  become(fault: Fault): void;
}

/** A minimal Valkey server, or a sentinel that names `primaryPort`, with a fault. */
export async function startFailingServer(
  fault: Fault,
  { primaryPort = 0, role = "master" }: { primaryPort?: number; role?: "master" | "slave" } = {},
): Promise<FailingServer> {
  let accepted = 0;
  let now = fault;
  const open = new Set<Socket>();
  const take = (socket: Socket): void => {
    open.add(socket);
    socket.once("close", () => open.delete(socket)).on("error", () => {});
    if (now === "reset") socket.resetAndDestroy();
    else if (now === "maxclients") socket.end("-ERR max number of clients reached\r\n");
    else if (now === "hanging") socket.resume();
    else
      socket.on("data", (bytes) => answer(socket, bytes.toString("latin1"), { fault: now, port, primaryPort, role }));
  };
  const server: Server =
    fault === "certificate"
      ? createTlsServer({ cert: certificate("server.pem"), key: certificate("server.key") }, take)
      : createServer(take);
  server.on("connection", () => accepted++).on("tlsClientError", () => {});
  const port = await listenAnywhere(server);
  return {
    port,
    get accepted() {
      return accepted;
    },
    become(next) {
      now = next;
      for (const socket of open) socket.resetAndDestroy();
    },
  };
}

interface Situation {
  readonly fault: Fault;
  readonly port: number;
  readonly primaryPort: number;
  readonly role: "master" | "slave";
}

/** Parses whole commands. Clients never split them here, as all are short. */
function answer(socket: Socket, text: string, situation: Situation): void {
  for (const [command] of text.matchAll(/\*\d+\r\n(?:\$\d+\r\n[^\r]*\r\n)+/g)) {
    const [name = "", ...args] = [...command.matchAll(/\$\d+\r\n([^\r]*)\r\n/g)].map(([, part = ""]) => part);
    // Only valkey-glide sends its name.
    if (situation.fault === "refuses valkey-glide" && name.toUpperCase() === "CLIENT") socket.resetAndDestroy();
    else socket.write(toReply(name.toUpperCase(), args, situation));
  }
}

function toReply(name: string, args: readonly string[], { fault, port, primaryPort, role }: Situation): string {
  if (fault === "wrong password")
    return name === "AUTH" || args.includes("AUTH")
      ? "-WRONGPASS invalid pair\r\n"
      : "-NOAUTH Authentication required.\r\n";
  if (name === "SELECT" && fault === "unknown database") return "-ERR DB index is out of range\r\n";
  if (name === "HELLO") return `%1\r\n${bulk("server")}${bulk("valkey")}`;
  if (name === "PING") return "+PONG\r\n";
  if (name === "GET") return "$-1\r\n";
  if (name === "INFO") return bulk(`role:${role}\r\n`);
  if (name === "ROLE") return `*3\r\n${bulk(role)}:0\r\n*0\r\n`;
  if (name === "SENTINEL") return `*2\r\n${bulk("127.0.0.1")}${bulk(String(primaryPort))}`;
  if (name === "SUBSCRIBE") return `>3\r\n${bulk("subscribe")}${bulk(args[0] ?? "")}:1\r\n`;
  if (name === "CLUSTER") return `*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n${bulk("127.0.0.1")}:${port}\r\n`;
  return "+OK\r\n";
}

function bulk(text: string): string {
  return `$${text.length}\r\n${text}\r\n`;
}
