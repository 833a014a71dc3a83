// @ts-check

/**
 * Writes the tables of docs/servers.md of what an ACL must allow, from src/inspect/features.ts. `test/acl` holds them to what
 * servers see.
 *
 *     npm run acl
 */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { CONNECTIONS, commandsOf, FEATURES, INSPECTION, reachRule, rules } from "../src/inspect/features.ts";

/** @typedef {import("../src/inspect/features.ts").Row} Row */

/** The rules for keys and channels, under the prefix `app` and the version 1. @param {Row} row */
export function reachOf({ reach = [] }) {
  /** @param {string} glob @param {"own" | "*" | "lock"} version */
  const pattern = (glob, version) => (version === "*" ? "app:*" : `app:${version === "own" ? 1 : version}:${glob}`);
  return reach.map((one) => reachRule(one, pattern)).join(" ");
}

/** Users of everything that one kind of cache has. `flush` is left out, as it deletes what others have stored. */
export const USERS = {
  "a cache with `herd()`, without the HTTP cache": user(
    ["http", "purges", "tags", "flush"],
    "~app:* &valkey-edge-cache:changes:app:*",
  ),
  "an HTTP cache": user(
    Object.keys(FEATURES).filter((name) => !["http", "purges", "tags", "health"].includes(name)),
    `${reachOf(FEATURES.http)} ${reachOf({ ...FEATURES.tags, reach: ["changes"] })}`,
  ),
};

/** @param {readonly string[]} without names of features @param {string} reach */
function user(without, reach) {
  const rows = Object.entries(FEATURES).filter(([name]) => !without.includes(name));
  const commands = [CONNECTIONS.any, ...rows.map(([, row]) => row)].flatMap(commandsOf);
  return [reach, ...rules(commands)].join(" ");
}

/** @param {Readonly<Record<string, Row>>} rows @param {string} first @param {string} last */
function table(rows, first, last) {
  const code = (/** @type {readonly string[]} */ words) => (words.length > 0 ? `\`${words.join(" ")}\`` : "");
  const lines = Object.values(rows).map((row) => {
    const { title, required, herd = [], optional = [], asked = [] } = row;
    const reach = reachOf(row);
    const more = herd.length > 0 ? `; with \`herd()\` also ${code(rules(herd))}` : "";
    const cells = [
      title,
      code(rules(required)) + more,
      code(rules([...optional, ...asked])),
      code(reach === "" ? [] : [reach]),
    ];
    return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  });
  return [`| ${first} | required | optional | ${last} |`, "|---|---|---|---|", ...lines].join("\n");
}

/** The page with the tables as they are now. @param {string} page @returns {string} */
export function withTables(page) {
  const users = Object.entries(USERS).map(
    ([who, text]) => `For ${who}:\n\n\`\`\`text\nACL SETUSER app on >password ${text}\n\`\`\``,
  );
  const parts = {
    features: table(FEATURES, "feature", "keys and channels"),
    connections: table(CONNECTIONS, "connection", "channels"),
    inspection: table(INSPECTION, "command", "keys and channels"),
    users: users.join("\n\n"),
  };
  return Object.entries(parts).reduce((text, [name, part]) => {
    const block = new RegExp(`(<!-- acl:${name} -->\n)[\\s\\S]*?(<!-- /acl -->)`);
    if (!block.test(text)) throw new Error(`acl: docs/servers.md has no place acl:${name}; add its two comments`);
    return text.replace(block, (_all, begin, end) => `${begin}${part}\n${end}`);
  }, page);
}

const self = fileURLToPath(import.meta.url);
if (process.argv[1] === self) {
  const page = new URL("../docs/servers.md", import.meta.url);
  writeFileSync(page, withTables(readFileSync(page, "utf8")));
}
