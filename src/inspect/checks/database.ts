import type { Reply } from "../../core/connection.js";
import { compileGlob } from "../../core/glob.js";
import type { Check } from "./check.js";
import { counted, type Diagnosis, duration, figure, note, ok, percent, problem, warning } from "./finding.js";
import { type Subject, textOf } from "./subject.js";

/** What is stored in the database of the cache. */
export const database: Check = {
  name: "database",
  needsServer: true,
  async run(subject) {
    const servers = await subject.info();
    const own = `db${subject.settings.place.database}`;
    let [keys, expiring] = [0, 0];
    const others = new Set<string>();
    for (const server of servers) {
      for (const [name, text] of server.matching(/^db\d+$/)) {
        const [, count = "0"] = /keys=(\d+)/.exec(text) ?? [];
        const [, expires = "0"] = /expires=(\d+)/.exec(text) ?? [];
        if (name !== own) others.add(name);
        else [keys, expiring] = [keys + Number(count), expiring + Number(expires)];
      }
    }
    const never = keys - expiring;
    const found = [
      `${counted(keys, "key")} in database ${subject.settings.place.database}`,
      ...(keys > 0 ? [`${figure(never)} of them never expire`] : []),
      ...(others.size > 0 ? [`keys in ${counted(others.size, "other database")}`] : []),
    ].join(", ");
    if (keys > 0 && never > keys / 2 && subject.settings.ttlMs !== null) {
      return [
        note(
          found,
          "Keys that never expire go only when they are deleted or evicted. They may be of other applications, or were stored with ttl null.",
          'look at them with "keys" of the command line, or "valkey-cli --scan"',
        ),
      ];
    }
    if (others.size > 0) {
      return [
        ok(found, "Databases share memory, eviction and the one thread of the server. flush() empties its own only."),
      ];
    }
    return [ok(found, "The server has no other database in use.")];
  },
};

/** How many keys are looked at. */
const SAMPLE = 500;
/** With few keys in a large database, a scan returns empty batches. */
const MAX_BATCHES = 5;
const ALL = { match: "*", count: SAMPLE };

/** Whether the prefix keeps the cache apart from others. */
export const prefix: Check = {
  name: "prefix",
  needsServer: true,
  async run(subject) {
    const { prefix: text } = subject.settings;
    const isEmpty = text === "";
    const isOwn = compileGlob(subject.pattern("*", "*"));
    const keys = await sample(subject);
    const foreign = keys.filter((key) => !isOwn(key)).length;
    const shown = isEmpty ? "no prefix" : `prefix ${JSON.stringify(text)}`;
    const found = `${shown}; ${figure(foreign)} of ${counted(keys.length, "key")} looked at are of others${keys.length > 0 ? ` (${percent(foreign / keys.length)})` : ""}`;
    if (foreign > 0 && isEmpty) {
      return [
        warning(
          found,
          "Another application shares the database. A second cache without a prefix would read and delete this one's entries, and flush() deletes all.",
          "give createCache a keyPrefix, such as the application's name; if it has one, give that to the doctor by --prefix",
        ),
      ];
    }
    if (foreign > 0) {
      return [
        note(
          found,
          "Others share the database: flush() deletes their keys, and eviction chooses among all. clear() and purges touch this prefix only.",
          "give the cache a database or a server of its own, if that matters",
        ),
      ];
    }
    if (isEmpty) {
      return [
        note(
          found,
          "A second application in this database would read and delete the same keys.",
          "give createCache a keyPrefix, such as the application's name, where the server is shared",
        ),
      ];
    }
    return [ok(found, "No other application was seen in this database.")];
  },
};

/** Some keys of the database. A user who may not scan is no news for other callers. @throws {Skip} */
async function sample(subject: Subject): Promise<string[]> {
  const keys: string[] = [];
  let batches = 0;
  for await (const batch of subject.isCluster ? subject.cache.connection.scan(ALL) : scanned(subject)) {
    keys.push(...batch);
    if (keys.length >= SAMPLE || ++batches === MAX_BATCHES) break;
  }
  return keys.slice(0, SAMPLE);
}

async function* scanned(subject: Subject): AsyncIterable<string[]> {
  let cursor = "0";
  do {
    const reply = await subject.ask(["SCAN", cursor, "COUNT", String(SAMPLE)]);
    const [next = null, keys = null] = Array.isArray(reply) ? reply : [];
    cursor = textOf(next) || "0";
    yield Array.isArray(keys) ? keys.map(shownKey) : [];
  } while (cursor !== "0");
}

/** Keys of other applications may be any bytes. */
function shownKey(key: Reply): string {
  return key instanceof Uint8Array ? new TextDecoder().decode(key) : textOf(key);
}

/** Options of the cache that one would want to know of. */
export const settings: Check = {
  name: "settings",
  needsServer: false,
  run(subject) {
    const { settings: own, clientKind } = subject;
    const isMemory = own.place.scheme === "memory";
    const found: Diagnosis[] = [];
    if (clientKind === "default" && !isMemory) {
      found.push({
        ...note(
          "the client is defaultClient()",
          "When an entry expires, every process that is asked for it calls its loader.",
          "give createCache the option client: herd(), and one process loads for all",
        ),
        part: "client",
      });
    }
    if (own.ttlMs === null) {
      found.push({
        ...note(
          "the default ttl is null",
          "Entries without a ttl of their own never expire: only eviction and deletes end them.",
          'give createCache a ttl, such as "1h"',
        ),
        part: "ttl",
      });
    } else if (own.ttlMs <= 0) {
      found.push({
        ...problem(
          `the default ttl is ${duration(own.ttlMs)}`,
          "Entries without a ttl of their own are not stored.",
          'give createCache a ttl above 0, such as "5m"',
        ),
        part: "ttl",
      });
    }
    if (own.ignoreErrors) {
      found.push({
        ...note(
          "ignoreErrors is true",
          "When the store fails, reads return what a miss returns, and writes do nothing: callers don't learn of it.",
          "watch onError or the event error, so that an outage is noticed",
        ),
        part: "ignore-errors",
      });
    }
    const { commandTimeoutMs = 0 } = own.about ?? {};
    if (commandTimeoutMs > 5_000) {
      found.push({
        ...note(
          `commandTimeout is ${duration(commandTimeoutMs)}`,
          "While the store hangs, each call waits so long until the circuit breaker opens.",
          'give a commandTimeout that callers can wait for, such as "500ms"',
        ),
        part: "command-timeout",
      });
    }
    if (found.length > 0) return found;
    return [ok(`ttl ${own.ttlMs === null ? "null" : duration(own.ttlMs)}, client ${clientKind}`, "Nothing to add.")];
  },
};
