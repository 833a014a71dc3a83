import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { Address } from "../core/location.js";
import { dialSocket } from "./node-socket.js";
import type { TlsSettings } from "./options.js";
import { withDeadline } from "./resilience/deadline.js";

/** How to probe a server. */
export interface ProbeSettings {
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly database: number;
  readonly tls: TlsSettings | undefined;
  readonly timeoutMs: number;
  /** Whether to ask for its role. */
  readonly asksRole: boolean;
}

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

export const REACHABLE = "check that it is running, and the location";
const LOGIN = "check the username and the password";
/** The longest reply. INFO about replication is much shorter. */
const MAX_BYTES = 65_536;

/**
 * Logs in over a socket of its own and destroys it. Resolves when the server accepts the login.
 * @throws {ProbeError} saying why the server can't be used
 */
export async function probe(address: Address, settings: ProbeSettings): Promise<ProbeResult> {
  const { tls, timeoutMs } = settings;
  // The certificate is judged before the login, by `authorized`.
  const socket = await dialSocket(address, tls, { rejectUnauthorized: false });
  const timeoutError = () => new ProbeError(`no answer within ${timeoutMs} ms`, REACHABLE);
  try {
    return await withDeadline(ask(socket, settings), timeoutMs, timeoutError);
  } finally {
    socket.destroy();
  }
}

function ask(socket: Socket | TLSSocket, settings: ProbeSettings): Promise<ProbeResult> {
  return new Promise((resolve, reject) => {
    const questions = toQuestions(settings);
    let received = "";
    socket.once(settings.tls ? "secureConnect" : "connect", () => {
      const doubt = "encrypted" in socket && !settings.tls?.insecure ? certificateDoubt(socket) : undefined;
      if (doubt) resolve({ role: undefined, doubt });
      else socket.write(questions.map(({ command }) => encode(command)).join(""));
    });
    socket.on("data", (bytes) => {
      received += bytes.toString("latin1");
      const replies = toReplies(received);
      const refusal = replies.map((reply, i) => questions[i]?.refusal(reply)).find((error) => error !== undefined);
      if (refusal) reject(refusal);
      else if (replies.length >= questions.length) resolve({ role: toRole(replies.at(-1) ?? ""), doubt: undefined });
      else if (received.length > MAX_BYTES) reject(new ProbeError("it is not a Valkey server", REACHABLE));
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
    const refusal = (reply: string) => refused(reply, `database ${database} can't be selected`, "check the location");
    questions.push({ command: ["SELECT", String(database)], refusal });
  }
  const command = asksRole ? ["INFO", "replication"] : ["PING"];
  return [
    ...questions,
    { command, refusal: (reply) => (CLIENT_REFUSED.test(reply) ? refused(reply, "", LOGIN) : undefined) },
  ];
}

/** The server refuses this client as a whole. Other errors, such as `NOPERM` and `LOADING`, show that the login works. */
const CLIENT_REFUSED = /^-(?:NOAUTH|DENIED|ERR max number of clients)/;

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

function toRole(info: string): ProbeResult["role"] {
  const [, role] = /^role:(master|slave)/m.exec(info) ?? [];
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
