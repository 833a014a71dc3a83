import type { Run } from "../io.js";
import { printable } from "../terminal/printable.js";
import { carryOut } from "../work.js";

export const clear: Run = (context) => {
  const namespaces = context.options.list("namespace");
  const { prefix } = context.cache.parts.settings;
  const shown = prefix === "" ? "without a prefix" : `of the prefix ${printable(prefix)}`;
  const isWhole = namespaces.length === 0;
  const answer = prefix === "" ? "everything" : prefix;
  return carryOut(context, {
    targets: [{ by: "namespace", namespaces }],
    free: true,
    verb: "Delete",
    doing: "Deleting",
    done: "deleted",
    what: isWhole
      ? `every entry ${shown}, in every version`
      : `every entry of the namespace ${namespaces.map(printable).join(" > ")}`,
    isOneWrite: false,
    ...(isWhole ? { second: { question: `This can't be undone. Type ${printable(answer)} to go on:`, answer } } : {}),
  });
};
