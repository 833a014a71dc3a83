import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { Address } from "../core/location.js";
import type { AddressResolver } from "./address-map.js";
import { dialSocket } from "./node-socket.js";
import type { TlsSettings } from "./options.js";
import { withDeadline } from "./resilience/deadline.js";
import { REACHABLE } from "./unreachable.js";

/** How to probe a server. */
export interface ProbeSettings {
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly database: number;
  readonly tls: TlsSettings | undefined;
  readonly addressMap: AddressResolver | undefined;
  /** The login, where another library signs it. Then the server is only asked whether it is there. */
  readonly iam?: object | undefined;
  readonly timeoutMs: number;
  /** What to find out. */
  readonly asks: Aim;
}

/** Whether the server answers at all, in which role, or as a node of a cluster. */
type Aim = "life" | "role" | "cluster";

export interface ProbeResult {
  /** `undefined` when it wasn't asked for, or this user may not ask. */
  readonly role: "primary" | "replica" | undefined;
  /**
   * Why the login was not tried: `node:tls` doesn't trust the server. Another library may trust it, as it has other
   * authorities and rules.
   */
  readonly doubt: string | undefined;
}

/** Why a server can't be used with these settings by any library. */
export class ProbeError extends Error {
  constructor(
    message: string,
    /** What to check. */
    readonly remedy: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** The server is a node of a cluster, or is none, unlike what the settings say. */
export class TopologyError extends ProbeError {}

/** The server closed the connection instead of an answer. */
class ClosedError extends ProbeError {}

const LOGIN = "check the username and the password";
/** The longest reply. INFO about replication is much shorter. */
const MAX_BYTES = 65_536;

type Subject = "role" | "cluster" | "ping" | "key";

/** What to ask, and what to ask instead of a server that closes the connection. The last one is a read, as caches send. */
const SUBJECTS: Readonly<Record<Aim, readonly Subject[]>> = {
  role: ["role", "ping", "key"],
  life: ["ping", "key"],
  cluster: ["cluster"],
};
/** How long to remember what a server closes the connection on. */
const REMEMBERED_MS = 30_000;
const remembered = new Map<string, { readonly index: number; readonly untilMs: number }>();

/**
 * Logs in over a socket of its own and destroys it. Resolves when the server accepts the login. Proxies such as twemproxy
 * close the connection on commands that they don't know. Then a simpler command is sent over another one, at once the
 * first time, and later with the next probe, so that a server that always closes gets few connections.
 * @throws {ProbeError} saying why the server can't be used
 */
export async function probe(address: Address, settings: ProbeSettings): Promise<ProbeResult> {
  const key = `${address.host}:${address.port} ${settings.asks}`;
  const subjects = SUBJECTS[settings.asks];
  const last = remembered.get(key);
  const known = last && performance.now() < last.untilMs ? last : undefined;
  if (!known) remembered.delete(key);
  for (let index = known?.index ?? 0; ; index++) {
    try {
      return await probeOnce(address, settings, subjects[index] ?? "ping");
    } catch (error) {
      if (!(error instanceof ClosedError)) {
        remembered.delete(key);
        throw error;
      }
      const isLast = index + 1 === subjects.length;
      remembered.set(key, { index: isLast ? 0 : index + 1, untilMs: performance.now() + REMEMBERED_MS });
      if (known || isLast) throw error;
    }
  }
}

async function probeOnce(address: Address, settings: ProbeSettings, subject: Subject): Promise<ProbeResult> {
  const { timeoutMs } = settings;
  // The certificate is judged before the login, by `authorized`.
  const socket = await dialSocket(address, settings, { rejectUnauthorized: false });
  const timeoutError = () => new ProbeError(`no answer within ${Math.round(timeoutMs)} ms`, REACHABLE);
  try {
    return await withDeadline(ask(socket, settings, subject), timeoutMs, timeoutError);
  } finally {
    socket.destroy();
  }
}

function ask(socket: Socket | TLSSocket, settings: ProbeSettings, subject: Subject): Promise<ProbeResult> {
  return new Promise((resolve, reject) => {
    const questions = toQuestions(settings, subject);
    let received = "";
    socket.once(settings.tls ? "secureConnect" : "connect", () => {
      const doubt = "encrypted" in socket && !settings.tls?.insecure ? certificateDoubt(socket) : undefined;
      if (doubt) resolve({ role: undefined, doubt });
      else socket.write(questions.map(({ command }) => encode(command)).join(""));
    });
    socket.on("data", (bytes) => {
      received += bytes.toString("latin1");
      const replies = toReplies(received);
      const judge = (reply: string, i: number) =>
        settings.iam && reply.startsWith("-NOAUTH") ? undefined : questions[i]?.refusal(reply);
      const refusal = replies.map(judge).find((error) => error !== undefined);
      if (refusal) reject(refusal);
      else if (replies.length >= questions.length) resolve({ role: toRole(replies), doubt: undefined });
      else if (received.length > MAX_BYTES) reject(new ProbeError("it is not a Valkey server", REACHABLE));
    });
    socket.on("error", (error) => {
      const doubt = settings.tls ? toDoubt(error) : undefined;
      if (doubt) resolve({ role: undefined, doubt });
      else reject(toProbeError(error));
    });
    socket.once("close", () => reject(new ClosedError("the connection was closed without an answer", REACHABLE)));
  });
}

interface Question {
  readonly command: readonly string[];
  refusal(reply: string): ProbeError | undefined;
}

function toQuestions({ username, password, database }: ProbeSettings, subject: Subject): Question[] {
  const questions: Question[] = [];
  if (password !== undefined) {
    const command = ["AUTH", ...(username === undefined ? [] : [username]), password];
    const refusal = (reply: string) => refused(reply, "authentication failed", LOGIN);
    questions.push({ command, refusal });
  }
  if (database !== 0) {
    const refusal = (reply: string) => refused(reply, `database ${database} can't be selected`, "check the location");
    questions.push({ command: ["SELECT", String(database)], refusal });
  }
  return [...questions, ...ABOUT[subject]];
}

/** The server refuses this client as a whole. Other errors, such as `NOPERM` and `LOADING`, show that the login works. */
const CLIENT_REFUSED = /^-(?:NOAUTH|DENIED|ERR max number of clients)/;

function question(...command: readonly string[]): Question {
  return { command, refusal: (reply) => (CLIENT_REFUSED.test(reply) ? refused(reply, "", LOGIN) : undefined) };
}

/** Nodes of a cluster answer it with a number, whatever their state. */
const KEYSLOT = question("CLUSTER", "KEYSLOT", "a");
const OF_CLUSTER: Question = {
  ...KEYSLOT,
  refusal: (reply) =>
    /^:\d/.test(reply)
      ? new TopologyError("it is a node of a cluster", "use the connection factory glideCluster()")
      : KEYSLOT.refusal(reply),
};
const NO_CLUSTER: Question = {
  ...KEYSLOT,
  refusal: (reply) =>
    /^-ERR (?:This instance has cluster support disabled|unknown command)/i.test(reply)
      ? new TopologyError("it is not a node of a cluster", "use the connection factory glide()")
      : KEYSLOT.refusal(reply),
};
const ABOUT: Readonly<Record<Subject, readonly Question[]>> = {
  role: [question("INFO", "replication"), OF_CLUSTER],
  cluster: [NO_CLUSTER],
  ping: [question("PING")],
  key: [question("GET", "valkey-edge-cache")],
};

function refused(reply: string, what: string, remedy: string): ProbeError | undefined {
  if (!reply.startsWith("-")) return undefined;
  const text = reply.slice(1);
  if (/max number of clients/.test(text)) return new ProbeError(text, "raise the server's maxclients");
  return CLIENT_REFUSED.test(reply) ? new ProbeError(text, LOGIN) : new ProbeError(`${what}: ${text}`, remedy);
}

/** A command in RESP. */
export function encode(command: readonly string[]): string {
  return `*${command.length}\r\n${command.map((part) => `$${Buffer.byteLength(part)}\r\n${part}\r\n`).join("")}`;
}

/** The complete replies. They are lines and bulk strings, as these commands have no others. */
function toReplies(received: string): string[] {
  const replies: string[] = [];
  for (let at = 0, end = received.indexOf("\r\n"); end >= 0; end = received.indexOf("\r\n", at)) {
    const line = received.slice(at, end);
    at = end + 2;
    const length = /^\$\d+$/.test(line) ? Number(line.slice(1)) : undefined;
    if (length !== undefined && received.length < at + length + 2) break;
    replies.push(length === undefined ? line : received.slice(at, at + length));
    if (length !== undefined) at += length + 2;
  }
  return replies;
}

function toRole(replies: readonly string[]): ProbeResult["role"] {
  const [, role] = /^role:(master|slave)/m.exec(replies.join("\n")) ?? [];
  return role === undefined ? undefined : role === "master" ? "primary" : "replica";
}

function certificateDoubt({ authorized, authorizationError }: TLSSocket): string | undefined {
  return authorized ? undefined : `the server's certificate is not trusted (${authorizationError})`;
}

/** A failure of the handshake itself, such as of the protocol version, may not affect another library. */
function toDoubt(error: Error): string | undefined {
  const code = "code" in error ? String(error.code) : "";
  return /^ERR_|^EPROTO$/.test(code) ? `the TLS handshake failed (${error.message.trim()})` : undefined;
}

function toProbeError(cause: Error): ProbeError {
  // The name has several addresses, and each of them failed.
  const error: unknown = cause instanceof AggregateError ? cause.errors[0] : cause;
  const message = error instanceof Error ? error.message : String(error);
  const isRefused = message.includes("ECONNREFUSED");
  return new ProbeError(isRefused ? `connection refused (${message})` : message, REACHABLE, { cause });
}
