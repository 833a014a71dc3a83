import { refusedCommand } from "../../core/availability.js";
import type { Command, Reply } from "../../core/connection.js";
import { ReplyError } from "../../core/errors.js";
import { randomText } from "../../core/text.js";
import { Skip } from "./finding.js";
import { type Subject, textOf } from "./subject.js";

/**
 * Whether a user may send a command: `command` and `reach` say what is refused, `either` that it is one of them. `absent`: the
 * server or a proxy doesn't have it.
 */
export type Permission = "allowed" | "command" | "reach" | "either" | "absent" | "unknown";

/** A command, and a key or a channel that it names. */
export interface Question {
  /** As rules name it, such as `"client|tracking"`. */
  readonly command: string;
  /** Empty where it names neither. */
  readonly name: string;
}

export interface Permissions {
  /** Who was asked for; `undefined` where the server has no users, or doesn't say. */
  readonly user: string | undefined;
  /** How it was found out. */
  readonly by: string;
  of(question: Question): Permission;
  /** Whether these questions are refused for a key or a channel, or may be. */
  refuses(name: string, questions: readonly Question[]): boolean;
}

/** What commands take besides a key, so that nothing is written: the key is one that nothing is stored under, or an argument is no number. */
const HARMLESS: Readonly<Record<string, (key: string) => Command>> = {
  "client|setinfo": () => ["CLIENT", "SETINFO", "?", "?"],
  "client|setname": () => ["CLIENT", "SETNAME", "no name"],
  "client|tracking": () => ["CLIENT", "TRACKING", "?"],
  "cluster|info": () => ["CLUSTER", "INFO"],
  "cluster|keyslot": () => ["CLUSTER", "KEYSLOT", "a"],
  "cluster|nodes": () => ["CLUSTER", "NODES"],
  "cluster|slots": () => ["CLUSTER", "SLOTS"],
  eval: (key) => ["EVAL", "return 0", "1", key],
  evalsha: (key) => ["EVALSHA", "0".repeat(40), "1", key],
  exists: (key) => ["EXISTS", key],
  get: (key) => ["GET", key],
  getrange: (key) => ["GETRANGE", key, "0", "0"],
  hdel: (key) => ["HDEL", key, "a"],
  hexists: (key) => ["HEXISTS", key, "a"],
  hget: (key) => ["HGET", key, "a"],
  hgetall: (key) => ["HGETALL", key],
  hkeys: (key) => ["HKEYS", key],
  hlen: (key) => ["HLEN", key],
  hset: (key) => ["HSET", key, "a", "1", "b"],
  incrby: (key) => ["INCRBY", key, "?"],
  info: () => ["INFO", "server"],
  mget: (key) => ["MGET", key],
  persist: (key) => ["PERSIST", key],
  pexpire: (key) => ["PEXPIRE", key, "?"],
  pexpireat: (key) => ["PEXPIREAT", key, "?"],
  ping: () => ["PING"],
  pttl: (key) => ["PTTL", key],
  rename: (key) => ["RENAME", key, key],
  role: () => ["ROLE"],
  scan: () => ["SCAN", "0", "COUNT", "?"],
  scard: (key) => ["SCARD", key],
  sdiff: (key) => ["SDIFF", key],
  sdiffstore: (key) => ["SDIFFSTORE", key, key],
  set: (key) => ["SET", key, "1", "?"],
  setrange: (key) => ["SETRANGE", key, "?", "a"],
  sinter: (key) => ["SINTER", key],
  sinterstore: (key) => ["SINTERSTORE", key, key],
  sismember: (key) => ["SISMEMBER", key, "a"],
  smembers: (key) => ["SMEMBERS", key],
  smismember: (key) => ["SMISMEMBER", key, "a"],
  smove: (key) => ["SMOVE", key, key, "a"],
  spop: (key) => ["SPOP", key],
  srandmember: (key) => ["SRANDMEMBER", key],
  srem: (key) => ["SREM", key, "a"],
  sscan: (key) => ["SSCAN", key, "0"],
  sunion: (key) => ["SUNION", key],
  sunionstore: (key) => ["SUNIONSTORE", key, key],
  time: () => ["TIME"],
  unlink: (key) => ["UNLINK", key],
  zadd: (key) => ["ZADD", key, "?", "a"],
  zcard: (key) => ["ZCARD", key],
  zrangebyscore: (key) => ["ZRANGEBYSCORE", key, "?", "?"],
  zremrangebyscore: (key) => ["ZREMRANGEBYSCORE", key, "?", "?"],
  zrevrangebyscore: (key) => ["ZREVRANGEBYSCORE", key, "?", "?"],
  zscore: (key) => ["ZSCORE", key, "a"],
};

/** Commands that would do something. They are never sent, only asked for. */
const ASKED: Readonly<Record<string, (name: string) => Command>> = {
  exec: () => ["EXEC"],
  flushdb: () => ["FLUSHDB"],
  multi: () => ["MULTI"],
  publish: (channel) => ["PUBLISH", channel, ""],
  readonly: () => ["READONLY"],
  sadd: (key) => ["SADD", key, "a"],
  "script|load": () => ["SCRIPT", "LOAD", "return 0"],
  select: () => ["SELECT", "0"],
  subscribe: (channel) => ["SUBSCRIBE", channel],
};

const FORMS = { ...HARMLESS, ...ASKED };

/** Since Redis 7.0, for every user that may run scripts. Which of the commands in ARGV, which are joined by a line break, are refused. */
const ACL_CHECK = `
local refused = {}
for i, joined in ipairs(ARGV) do
  local command = {}
  for part in string.gmatch(joined .. '\\n', '([^\\n]*)\\n') do command[#command + 1] = part end
  refused[i] = redis.acl_check_cmd(unpack(command)) and 0 or 1
end
return refused`;

/** Asks in one way. Absent answers are not known. */
type Ask = (questions: readonly Question[]) => Promise<readonly (Permission | undefined)[]>;

/** Answers questions about the user's rules, in the best of the ways that the server leaves open. Nothing is written. */
export async function askPermissions(subject: Subject, questions: readonly Question[]): Promise<Permissions> {
  const distinct = [...new Map(questions.map((one) => [toId(one), one])).values()];
  const user = await whoAmI(subject);
  const dry = user === undefined ? undefined : await dryRun(subject, user, distinct);
  if (user !== undefined && dry) {
    const known = await withReaches(distinct, dry, async (more) => (await dryRun(subject, user, more)) ?? []);
    return new Known(user, "ACL DRYRUN", known);
  }
  const isHarmless = ({ command }: Question): boolean => Object.hasOwn(HARMLESS, command);
  const rest = distinct.filter((one) => !isHarmless(one));
  const checked = await byScript(subject, rest);
  const ask: Ask = async (asked) => {
    const replies = await subject.askAll(asked.filter(isHarmless).map(toCommand));
    const tried = new Map(asked.filter(isHarmless).map((one, i) => [toId(one), toPermission(replies[i] ?? null)]));
    return asked.map((one) => tried.get(toId(one)) ?? checked?.[rest.indexOf(one)]);
  };
  const known = await withReaches(distinct, await ask(distinct), ask);
  return new Known(user, `commands that change nothing${checked ? ", and a script" : ""}`, known);
}

/**
 * The answers, and more of them: a command that is refused itself says nothing of the keys and channels that it names. So
 * those are asked for with a command that is known to be allowed.
 */
async function withReaches(
  questions: readonly Question[],
  answers: readonly (Permission | undefined)[],
  ask: Ask,
): Promise<ReadonlyMap<string, Permission>> {
  const known = new Map(questions.map((one, i) => [toId(one), answers[i] ?? "unknown"]));
  const isAllowed = (one: Question): boolean => /allowed|reach/.test(known.get(toId(one)) ?? "");
  const more = [isOfChannel, isOfKey].flatMap((isOfKind) => {
    const ofKind = questions.filter((one) => one.name !== "" && isOfKind(one));
    const witness = ofKind.find(isAllowed);
    const clear = new Set(ofKind.filter(isAllowed).map(({ name }) => name));
    const names = new Set(ofKind.map(({ name }) => name).filter((name) => !clear.has(name)));
    return witness ? [...names].map((name) => ({ command: witness.command, name })) : [];
  });
  if (more.length === 0) return known;
  const found = await ask(more);
  for (const [i, one] of more.entries()) known.set(toId(one), found[i] ?? "unknown");
  return known;
}

/** What a command names: a channel, a key, or neither. */
export function namesWhat(command: string): "channel" | "key" | "nothing" {
  if (command === "publish" || command === "subscribe") return "channel";
  return toCommand({ command, name: "a key" }).includes("a key") ? "key" : "nothing";
}

const isOfChannel = ({ command }: Question): boolean => namesWhat(command) === "channel";
const isOfKey = ({ command }: Question): boolean => namesWhat(command) === "key";

class Known implements Permissions {
  readonly #known: ReadonlyMap<string, Permission>;

  constructor(
    readonly user: string | undefined,
    readonly by: string,
    known: ReadonlyMap<string, Permission>,
  ) {
    this.#known = known;
  }

  of(question: Question): Permission {
    return this.#known.get(toId(question)) ?? "unknown";
  }

  refuses(name: string, questions: readonly Question[]): boolean {
    const own = questions.filter((one) => one.name === name);
    if (own.length === 0) return false;
    const answers = new Set(own.map((one) => this.of(one)));
    if (answers.has("reach") || answers.has("either")) return true;
    if (!answers.has("command") || answers.has("allowed")) return false;
    const others = new Set([...this.#known].filter(([id]) => id.endsWith(` ${name}`)).map(([, answer]) => answer));
    // Where no command is allowed that could tell, the rule is named as well: it is needed in any case.
    return !others.has("allowed");
  }
}

function toId({ command, name }: Question): string {
  return `${command} ${name}`;
}

function toCommand({ command, name }: Question): Command {
  return FORMS[command]?.(name) ?? ["PING"];
}

/** The user of this connection; `undefined` where the server has none, or doesn't say. */
async function whoAmI(subject: Subject): Promise<string | undefined> {
  const [reply = null] = await subject.askAll([["ACL", "WHOAMI"]]);
  // The refusal names the user.
  return reply instanceof ReplyError ? userIn([reply]) : textOf(reply);
}

function userIn(replies: readonly Reply[]): string | undefined {
  const names = replies.map((reply) =>
    reply instanceof ReplyError ? /User (\S+) has no permissions/i.exec(reply.detail)?.[1] : undefined,
  );
  return names.find((name) => name !== undefined);
}

/** `undefined` where the server has no ACL DRYRUN (before 7.0), or refuses it. */
async function dryRun(
  subject: Subject,
  user: string,
  questions: readonly Question[],
): Promise<readonly Permission[] | undefined> {
  const replies = await subject.askAll(questions.map((one) => ["ACL", "DRYRUN", user, ...toCommand(one)] as const));
  if (replies.every((reply) => reply instanceof ReplyError)) return undefined;
  // A server that doesn't have the command answers with an error. What the user may not do is a text.
  return replies.map((reply) => {
    if (reply instanceof ReplyError) return /not found/i.test(reply.detail) ? "absent" : "unknown";
    return textOf(reply) === "OK" ? "allowed" : ofText(textOf(reply));
  });
}

/** `undefined` where no script can be run. */
async function byScript(subject: Subject, questions: readonly Question[]): Promise<readonly Permission[] | undefined> {
  // A command that names a key is refused for the key, or for itself: EVAL on the same key tells which.
  const asked = questions.flatMap((one) => [toCommand(one), ["EVAL", "return 0", "1", one.name] as const]);
  const [reply = null] = await subject.askAll([["EVAL", ACL_CHECK, "0", ...asked.map((one) => one.join("\n"))]]);
  if (!Array.isArray(reply)) return undefined;
  return questions.map(({ command }, i) => {
    if (reply[2 * i] === 0) return "allowed";
    if (command === "publish" || command === "subscribe") return "either";
    return command === "sadd" && reply[2 * i + 1] !== 0 ? "reach" : "command";
  });
}

function toPermission(reply: Reply): Permission {
  if (!(reply instanceof ReplyError)) return "allowed";
  if (reply.code === "NOPERM") return ofText(reply.detail);
  // Any other error comes from the command itself, which was allowed then.
  return refusedCommand(reply) === undefined ? "allowed" : "absent";
}

function ofText(text: string): Permission {
  return /permissions? to (?:run|execute)/i.test(text) ? "command" : "reach";
}

/** A text that no key ends with. */
export function unusedName(): string {
  return `valkey-edge-cache:doctor:${randomText(16)}`;
}

/** @throws {Skip} where no question was answered */
export function mustKnow(permissions: Permissions, questions: readonly Question[]): void {
  if (questions.some((one) => permissions.of(one) !== "unknown")) return;
  throw new Skip("the server doesn't say what the user may do");
}
