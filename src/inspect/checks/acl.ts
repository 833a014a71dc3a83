import { CONNECTIONS, FEATURES, type Feature, type Reach, type Row, reachRule, rules } from "../features.js";
import type { Check } from "./check.js";
import { counted, type Diagnosis, note, ok, problem, warning } from "./finding.js";
import {
  askPermissions,
  mustKnow,
  namesWhat,
  type Permission,
  type Permissions,
  type Question,
  unusedName,
} from "./permissions.js";
import type { Subject } from "./subject.js";

/** What the doctor can't know the use of. Refused, it is worth a note. */
const MAYBE_UNUSED: ReadonlySet<string> = new Set(["flush", "http", "purges", "tags"] satisfies Feature[]);

/** What one feature, or the connection, needs. */
interface Need {
  readonly name: string;
  readonly title: string;
  readonly required: readonly string[];
  readonly optional: readonly string[];
  readonly reach: readonly Reach[];
  /** How much it matters that it doesn't work. */
  readonly weight: "problem" | "warning" | "note";
}

/** What a user lacks for one need. */
interface Lack {
  readonly need: Need;
  /** Rules as one would add them. */
  readonly required: readonly string[];
  readonly optional: readonly string[];
  /** Commands that the server or a proxy doesn't have. */
  readonly absent: readonly string[];
}

/** What the ACL allows, for each feature. */
export const acl: Check = {
  name: "acl",
  needsServer: true,
  async run(subject) {
    const needs = needsOf(subject);
    const names = namesOf(subject);
    const questions = needs.flatMap((need) => questionsOf(need, names));
    const permissions = await askPermissions(subject, questions);
    mustKnow(permissions, questions);
    const lacks = needs
      .map((need) => lackOf(need, names, permissions, subject))
      .filter(({ required, optional, absent }) => required.length + optional.length + absent.length > 0);
    const unknown = questions.filter((one) => permissions.of(one) === "unknown").map(({ command }) => command);
    return [
      summary(subject, permissions, { needs, lacks, unknown }),
      ...lacks.map((lack) => toDiagnosis(subject, permissions, lack)),
    ];
  },
};

/** The needs of this cache: those of its client, of its near cache and of its connection. */
function needsOf({ clientKind, settings, cache, isCluster }: Subject): Need[] {
  const isHerd = clientKind === "herd";
  const features = Object.entries<Row>(FEATURES).filter(([name]) => name !== (isHerd ? "getOrSet" : "herd"));
  const core = new Set(["entries", "getOrSet", "herd"]);
  const near = settings.near?.health().invalidation;
  const { transport } = cache.connection.status();
  const connections: readonly (readonly [name: string, row: Row, isUsed: boolean])[] = [
    ["connection", CONNECTIONS.any, true],
    ["database", CONNECTIONS.database, settings.place.database !== 0],
    ["clientName", CONNECTIONS.clientName, settings.about?.clientName !== undefined],
    ["servers", CONNECTIONS.servers, !isCluster && settings.place.addresses.length > 1],
    ["cluster", CONNECTIONS.cluster, isCluster],
    ["clusterReplicas", CONNECTIONS.clusterReplicas, isCluster && settings.about?.readFrom !== "primary"],
    ["nearCache", CONNECTIONS.near, near !== undefined && transport !== "rest"],
    ["nearCacheInCluster", CONNECTIONS.nearCluster, near !== undefined && isCluster],
    ["nearCacheByChannel", CONNECTIONS.nearChannel, near === "channel"],
  ];
  return [
    ...features.map(([name, row]) => {
      const weight = core.has(name) ? "problem" : MAYBE_UNUSED.has(name) ? "note" : "warning";
      return toNeed(name, row, weight, isHerd);
    }),
    ...connections
      .filter(([, , isUsed]) => isUsed)
      .map(([name, row]) => ({ ...toNeed(name, row, "warning", isHerd), title: `connection: ${row.title}` })),
  ];
}

function toNeed(name: string, row: Row, weight: Need["weight"], isHerd: boolean): Need {
  const { title, required, herd = [], optional = [], reach = [] } = row;
  const whole = name === "purges" || name === "tags" ? `HTTP cache, ${title}` : title;
  return {
    name,
    title: whole.replaceAll("`", ""),
    required: isHerd ? [...required, ...herd] : required,
    optional,
    reach,
    weight,
  };
}

/** Keys and channels that stand for those of a reach. */
type Names = (reach: Reach) => readonly string[];

function namesOf({ key, settings: { version } }: Subject): Names {
  const unused = unusedName();
  const channel = (reach: Reach): readonly string[] => [reachRule(reach, key).slice(1)];
  const names: Readonly<Record<Reach, readonly string[]>> = {
    entries: [key(unused, "own")],
    "all versions": [key(unused, "own"), key(unused, version + 1)],
    locks: [key(unused, "lock")],
    responses: [key(`http:${unused}`, "own")],
    "purge log": [key("", "own")],
    changes: channel("changes"),
    "near caches": channel("near caches"),
    invalidations: channel("invalidations"),
    failovers: channel("failovers"),
  };
  return (reach) => names[reach];
}

/** Commands on sorted sets are for the purge log, and those of channels for channels. */
function questionsOf({ required, optional, reach }: Need, names: Names): Question[] {
  const isChannel = (one: Reach): boolean => /^(?:changes|near caches|invalidations|failovers)$/.test(one);
  const channels = reach.filter(isChannel).flatMap(names);
  const log = reach.includes("purge log") ? names("purge log") : [];
  const keys = reach.filter((one) => !isChannel(one) && one !== "purge log").flatMap(names);
  const namesFor = (command: string): readonly string[] => {
    const what = namesWhat(command);
    if (what === "nothing") return [];
    if (what === "channel") return command === "publish" ? channels.slice(-1) : channels;
    return command.startsWith("z") || keys.length === 0 ? log : keys;
  };
  return [...required, ...optional].flatMap((command) => {
    const of = namesFor(command);
    return (of.length > 0 ? of : [""]).map((name) => ({ command, name }));
  });
}

function lackOf(need: Need, names: Names, permissions: Permissions, { pattern }: Subject): Lack {
  const questions = questionsOf(need, names);
  const has = (one: Question, ...found: Permission[]): boolean => found.includes(permissions.of(one));
  const those = (commands: readonly string[], ...found: Permission[]): string[] =>
    commands.filter((command) => questions.some((one) => one.command === command && has(one, ...found)));
  const reaches = need.reach.filter((reach) => names(reach).some((name) => permissions.refuses(name, questions)));
  // What is appended to the purge log is published to near caches, which can do without.
  const isOptional = (reach: Reach): boolean => reach === "changes" && need.optional.includes("publish");
  const reachRules = (optional: boolean): string[] =>
    reaches.filter((reach) => isOptional(reach) === optional).map((reach) => reachRule(reach, pattern));
  return {
    need,
    required: [...rules(those(need.required, "command", "either")), ...reachRules(false)],
    optional: [...rules(those(need.optional, "command", "either")), ...reachRules(true)],
    absent: those([...need.required, ...need.optional], "absent"),
  };
}

function levelOf({ need, required, optional, absent }: Lack): Need["weight"] {
  const isRequired = required.length > 0 || need.required.some((command) => absent.includes(command));
  if (isRequired) return need.weight;
  const missing = [...optional, ...absent.map((command) => `+${command}`)];
  // Without one of these herd() takes no leases.
  return need.name === "herd" && missing.some((rule) => rule !== "+evalsha") ? "warning" : "note";
}

function toDiagnosis(subject: Subject, permissions: Permissions, lack: Lack): Diagnosis {
  const { need, required, optional, absent } = lack;
  const { title } = need;
  const level = levelOf(lack);
  const isBroken = required.length > 0 || need.required.some((command) => absent.includes(command));
  const lacking = [...required, ...optional.map((rule) => `${rule} (optional)`)];
  const found = [
    lacking.length > 0 ? `${title}: the user lacks ${lacking.join(" ")}` : "",
    absent.length > 0 ? `${title}: the server, or a proxy before it, has no ${absent.join(", ")}` : "",
  ];
  const diagnose = { problem, warning, note }[level];
  return {
    ...diagnose(
      found.filter((text) => text !== "").join("; "),
      isBroken ? brokenBy(need) : workedAround(need.name, level),
      lacking.length > 0
        ? remedyFor(subject, permissions, [...required, ...optional])
        : `use a server or a proxy that has ${absent.join(", ")}, or don't use this feature`,
    ),
    part: need.name,
  };
}

function brokenBy({ name, title, weight }: Need): string {
  if (name.startsWith("nearCache")) {
    return "The near cache can't be notified of changes in this way: entries stay for maxStaleness at most.";
  }
  return `${title}: refused, in whole or in part.${weight === "note" ? " That matters only if the application uses it." : ""}`;
}

function workedAround(name: string, level: Need["weight"]): string {
  if (name === "herd" && level === "warning")
    return "herd() goes without leases: each process loads a missing entry by itself.";
  if (name === "connection" || name === "clientName") return "Connections are harder to tell apart in CLIENT LIST.";
  if (name === "purgeTags" || name === "tags")
    return "Scripts are sent in full, or near caches find purges by polling the log.";
  return "It is worked around, with more bytes or round trips.";
}

function remedyFor(
  { server, isCluster }: Subject,
  { user = "<user>" }: Permissions,
  missing: readonly string[],
): string {
  return `run "ACL SETUSER ${user} ${[...new Set(missing)].join(" ")}" at ${isCluster ? "every node of " : ""}${server}`;
}

/** One finding on all features, with one remedy for those that matter. */
function summary(
  subject: Subject,
  permissions: Permissions,
  {
    needs,
    lacks,
    unknown,
  }: { readonly needs: readonly Need[]; readonly lacks: readonly Lack[]; readonly unknown: readonly string[] },
): Diagnosis {
  const serious = lacks.filter((lack) => levelOf(lack) !== "note");
  const who = permissions.user === undefined ? "this connection" : `user ${permissions.user}`;
  const works = needs.length - lacks.length;
  const asked = [...new Set(unknown)];
  const found = [
    lacks.length === 0
      ? `${who} may use all ${counted(needs.length, "feature")}`
      : `${who} may use ${works} of ${counted(needs.length, "feature")} in full`,
    `known by ${permissions.by}`,
    ...(asked.length > 0 ? [`not known: ${asked.join(", ")}`] : []),
  ].join("; ");
  if (serious.length === 0) return ok(found, "No rule that this cache needs is missing.");
  const missing = serious.flatMap(({ required, optional }) => [...required, ...optional]).sort();
  const isProblem = serious.some((lack) => levelOf(lack) === "problem");
  const names = serious.map(({ need }) => need.title);
  const diagnose = isProblem ? problem : warning;
  return diagnose(
    found,
    `Not in full: ${names.join("; ")}.`,
    missing.length > 0 ? remedyFor(subject, permissions, missing) : "use a server or a proxy that has all commands",
  );
}
