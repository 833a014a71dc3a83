import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { Address } from "../core/location.js";
import type { TlsSettings } from "./options.js";
import { withDeadline } from "./resilience/deadline.js";
import { dialSocket } from "./socket.js";

/** How a server is asked. */
export interface ProbeSettings {
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly database: number;
  readonly tls: TlsSettings | undefined;
  readonly timeoutMs: number;
  /** Whether its role is asked for. */
  readonly asksRole: boolean;
}

export interface Answer {
  /** `undefined` when it wasn't asked for, or the server doesn't tell this user. */
  readonly role: "primary" | "replica" | undefined;
  /**
   * Why the login was not tried: `node:tls` doesn't trust the server. Another library may, as it has other authorities and
   * other rules.
   */
  readonly doubt: string | undefined;
}

/** Why a server can't be used with these settings, whichever library asks. */
export class ProbeError extends Error {
  constructor(
    message: string,
    /** What to look at. */
    readonly remedy: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

export const REACHABLE = "see whether it runs, and the location";
const LOGIN = "see the username and the password";
/** What INFO says about replication, with room to spare. */
const MOST_BYTES = 65_536;

/**
 * Logs in over a socket of its own, which is gone when this settles: that a server takes the login, or why not.
 * @throws {ProbeError}
 */
export async function probe(address: Address, settings: ProbeSettings): Promise<Answer> {
  const { tls, timeoutMs } = settings;
  // The certificate is judged before the login, by `authorized`.
  const socket = await dialSocket(address, tls, { rejectUnauthorized: false });
  const late = () => new ProbeError(`no answer within ${timeoutMs} ms`, REACHABLE);
  try {
    return await withDeadline(ask(socket, settings), timeoutMs, late);
  } finally {
    socket.destroy();
  }
}

function ask(socket: Socket | TLSSocket, settings: ProbeSettings): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const questions = toQuestions(settings);
    let received = "";
    socket.once(settings.tls ? "secureConnect" : "connect", () => {
      const doubt = "encrypted" in socket && !settings.tls?.insecure ? mistrust(socket) : undefined;
      if (doubt) resolve({ role: undefined, doubt });
      else socket.write(questions.map(({ command }) => encode(command)).join(""));
    });
    socket.on("data", (bytes) => {
      received += bytes.toString("latin1");
      const replies = toReplies(received);
      const refusal = replies.map((reply, i) => questions[i]?.refusal(reply)).find((found) => found !== undefined);
      if (refusal) reject(refusal);
      else if (replies.length >= questions.length) resolve({ role: toRole(replies.at(-1) ?? ""), doubt: undefined });
      else if (received.length > MOST_BYTES) reject(new ProbeError("it is no Valkey server", REACHABLE));
    });
    socket.on("error", (error) => {
      const doubt = settings.tls ? toDoubt(error) : undefined;
      if (doubt) resolve({ role: undefined, doubt });
      else reject(toProbeError(error));
    });
    socket.once("close", () => reject(new ProbeError("the connection was closed without an answer", REACHABLE)));
  });
}

interface Question {
  readonly command: readonly string[];
  refusal(reply: string): ProbeError | undefined;
}

function toQuestions({ username, password, database, asksRole }: ProbeSettings): Question[] {
  const questions: Question[] = [];
  if (password !== undefined) {
    const command = ["AUTH", ...(username === undefined ? [] : [username]), password];
    const refusal = (reply: string) => refused(reply, "authentication failed", LOGIN);
    questions.push({ command, refusal });
  }
  if (database !== 0) {
    const refusal = (reply: string) => refused(reply, `database ${database} can't be selected`, "see the location");
    questions.push({ command: ["SELECT", String(database)], refusal });
  }
  const command = asksRole ? ["INFO", "replication"] : ["PING"];
  return [
    ...questions,
    { command, refusal: (reply) => (SHUT_OUT.test(reply) ? refused(reply, "", LOGIN) : undefined) },
  ];
}

/** The server lets this client do nothing. All other errors, such as `NOPERM` and `LOADING`, are answers. */
const SHUT_OUT = /^-(?:NOAUTH|DENIED|ERR max number of clients)/;

function refused(reply: string, what: string, remedy: string): ProbeError | undefined {
  if (!reply.startsWith("-")) return undefined;
  const text = reply.slice(1);
  if (/max number of clients/.test(text)) return new ProbeError(text, "raise the server's maxclients");
  return SHUT_OUT.test(reply) ? new ProbeError(text, LOGIN) : new ProbeError(`${what}: ${text}`, remedy);
}

/** A command as a server reads it. */
export function encode(command: readonly string[]): string {
  return `*${command.length}\r\n${command.map((part) => `$${Buffer.byteLength(part)}\r\n${part}\r\n`).join("")}`;
}

/** The replies that are there as a whole: lines and bulk strings, as the questions have no others. */
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

function toRole(info: string): Answer["role"] {
  const [, role] = /^role:(master|slave)/m.exec(info) ?? [];
  return role === undefined ? undefined : role === "master" ? "primary" : "replica";
}

function mistrust({ authorized, authorizationError }: TLSSocket): string | undefined {
  return authorized ? undefined : `the server's certificate is not trusted (${authorizationError})`;
}

/** What failed in the handshake itself, such as a protocol version, may not fail for another library. */
function toDoubt(error: Error): string | undefined {
  const code = "code" in error ? String(error.code) : "";
  return /^ERR_|^EPROTO$/.test(code) ? `the TLS handshake failed (${error.message.trim()})` : undefined;
}

function toProbeError(cause: Error): ProbeError {
  // Of a name with several addresses, each of which failed.
  const error: unknown = cause instanceof AggregateError ? cause.errors[0] : cause;
  const message = error instanceof Error ? error.message : String(error);
  const isRefused = message.includes("ECONNREFUSED");
  return new ProbeError(isRefused ? `connection refused (${message})` : message, REACHABLE, { cause });
}
