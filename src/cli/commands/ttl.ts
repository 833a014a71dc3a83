import { inspectEntry } from "../../inspect/entry.js";
import { stateStyle, stateText } from "../entry-text.js";
import { EXIT } from "../exit-codes.js";
import type { Run } from "../io.js";
import { keyOf } from "../keys-of.js";
import { paragraph } from "../terminal/layout.js";
import { safeJson } from "../terminal/printable.js";
import { duration } from "../terminal/units.js";
import { missing } from "./get.js";

export const ttl: Run = async (context) => {
  const { cache, args, out, json } = context;
  const entry = await inspectEntry(cache, keyOf(context, args[0] ?? ""), { value: false });
  const { storedKey, key, state, atMs, freshUntilMs, staleUntilMs, expiresMs } = entry;
  const isMissing = state === "none";
  if (json) await out.lines(safeJson({ storedKey, key, state, atMs, freshUntilMs, staleUntilMs, expiresMs }));
  else if (isMissing) await missing(context, entry);
  else {
    const text = stateText(entry, atMs);
    const deleted = typeof expiresMs === "number" ? `deleted in ${duration(expiresMs - atMs)}` : "never deleted";
    const whole = text.includes("delete") ? text : `${text}; ${deleted}`;
    await out.lines(...paragraph({ text: whole, style: stateStyle(state, out.style) }, out.columns));
  }
  return isMissing ? EXIT.notFound : EXIT.ok;
};
