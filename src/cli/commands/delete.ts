import type { PurgeTarget } from "../../inspect/port.js";
import type { Run } from "../io.js";
import { keyOf } from "../keys-of.js";
import { printable } from "../terminal/printable.js";
import { counted } from "../terminal/units.js";
import { carryOut } from "../work.js";

export const deleteKeys: Run = (context) => {
  const keys = [...new Set(context.args.map((argument) => String(keyOf(context, argument))))];
  const targets = keys.map((key): PurgeTarget => ({ by: "key", key, isStored: true }));
  const [first = ""] = context.args;
  return carryOut(context, {
    targets,
    verb: "Delete",
    doing: "Deleting",
    done: "deleted",
    what: keys.length === 1 ? `the key ${printable(first)}` : counted(keys.length, "key"),
    isOneWrite: false,
  });
};
