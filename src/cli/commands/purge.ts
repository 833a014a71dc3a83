import type { PurgeTarget } from "../../inspect/port.js";
import { EXIT, Exit } from "../exit-codes.js";
import type { Context, Run } from "../io.js";
import { keyOf } from "../keys-of.js";
import { printable } from "../terminal/printable.js";
import { carryOut } from "../work.js";

export const purge: Run = (context) => {
  const { options } = context;
  const { target, what } = chosen(context);
  const [soft, free] = [options.flag("soft"), options.flag("free")];
  if (soft && free)
    throw new Exit(EXIT.usage, "--soft keeps entries to answer them, and --free deletes them; leave one of them out");
  if (options.has("match") && target.by !== "tag")
    throw new Exit(EXIT.usage, "--match says how several tags are joined; give --tag, or leave --match out");
  const isOneWrite = !free && (target.by === "tag" || target.by === "namespace");
  const deletes = !soft && !isOneWrite;
  return carryOut(context, {
    targets: [target],
    soft,
    free,
    verb: soft ? "Make stale" : deletes ? "Delete" : "End",
    doing: soft ? "Making stale" : deletes ? "Deleting" : "Ending",
    done: soft ? "made stale" : deletes ? "deleted" : "ended",
    what,
    isOneWrite,
  });
};

/** The one thing that is to be purged. @throws {Exit} for none, and for several */
function chosen(context: Context): { readonly target: PurgeTarget; readonly what: string } {
  const { options } = context;
  const [tags, namespaces] = [options.list("tag"), options.list("namespace")];
  const [key, pattern] = [options.text("key"), options.text("pattern")];
  const given = [
    tags.length > 0 && "--tag",
    key !== undefined && "--key",
    pattern !== undefined && "--pattern",
    namespaces.length > 0 && pattern === undefined && key === undefined && "--namespace",
  ].filter((name) => name !== false);
  if (given.length !== 1) {
    const problem = given.length === 0 ? "it is not said what" : `${given.join(" and ")} are given`;
    throw new Exit(EXIT.usage, `purge: ${problem}; give one of --tag, --key, --pattern and --namespace`);
  }
  const inside = namespaces.length > 0 ? ` in the namespace ${namespaces.map(printable).join(" > ")}` : "";
  if (tags.length > 0) {
    const match = options.text("match") === "all" ? "all" : "any";
    const joint = match === "all" ? " and " : " or ";
    const noun = tags.length === 1 ? "the tag" : `the ${match === "all" ? "tags" : "tags"}`;
    return { target: { by: "tag", tags, match }, what: `entries with ${noun} ${tags.map(printable).join(joint)}` };
  }
  if (key !== undefined)
    return {
      target: { by: "key", key: String(keyOf(context, key)), isStored: true },
      what: `the key ${printable(key)}${inside}`,
    };
  if (pattern !== undefined)
    return {
      target: { by: "pattern", pattern, ...(namespaces.length > 0 ? { namespaces } : {}) },
      what: `keys that match ${printable(pattern)}${inside}`,
    };
  return { target: { by: "namespace", namespaces }, what: `all values${inside}` };
}
