import { inspectEntry } from "../../inspect/entry.js";
import type { EntryReport, ValueReport } from "../../inspect/port.js";
import { entryFields, keyText } from "../entry-text.js";
import { EXIT } from "../exit-codes.js";
import type { Context, Run } from "../io.js";
import { keyOf } from "../keys-of.js";
import { fields } from "../terminal/layout.js";
import { printable, printableLines, safeJson } from "../terminal/printable.js";
import { wrap } from "../terminal/width.js";

/** Of `--raw`, which should have all of a value. */
const RAW_BYTES = 512 * 1_024 * 1_024;

export const get: Run = async (context) => {
  const { cache, args, options, out, json } = context;
  const [argument = ""] = args;
  const isRaw = options.flag("raw");
  const maxBytes = options.number("maxBytes") ?? (isRaw ? RAW_BYTES : undefined);
  const entry = await inspectEntry(cache, keyOf(context, argument), {
    ...(maxBytes === undefined ? {} : { maxBytes }),
    tags: options.list("tag"),
    value: true,
  });
  const isMissing = entry.state === "none";
  if (json) await out.lines(safeJson(entry));
  else if (isMissing) await missing(context, entry);
  else if (isRaw) await raw(context, entry);
  else await show(context, entry);
  return isMissing ? EXIT.notFound : EXIT.ok;
};

/** What `get` and `ttl` say where there is nothing. */
export async function missing({ err, args }: Context, { storedKey }: Pick<EntryReport, "storedKey">): Promise<void> {
  const text = `There is no entry ${printable(storedKey)}; \`why ${printable(args[0] ?? "")}\` says what to look at.`;
  await err.lines(...wrap(text, err.columns));
}

async function show({ out }: Context, entry: EntryReport): Promise<void> {
  const { value } = entry;
  await out.lines(
    ...wrap(keyText(entry), out.columns).map(out.style.bold),
    ...fields(entryFields(entry, out), out),
    ...(value ? ["", ...valueLines(value, out.columns)] : []),
  );
  if (value?.isCut) await out.lines(out.style.dim("(cut; --max-bytes shows more)"));
}

function valueLines({ response, text }: ValueReport, columns: number): string[] {
  const head = response
    ? [`${response.status} ${response.url}`, ...response.fields.map(([name, value]) => `${name}: ${value}`), ""].map(
        printable,
      )
    : [];
  return [...head, ...printableLines(text)].flatMap((line) => wrap(line, columns));
}

/** The value alone. A terminal gets it escaped, as bytes that come from elsewhere may be commands to it. */
async function raw({ out }: Context, { value }: EntryReport): Promise<void> {
  if (!value) return;
  const text = typeof value.json === "string" ? value.json : value.text;
  if (out.isTerminal) await out.lines(...printableLines(text));
  else await out.text(typeof value.json === "string" ? text : `${text}\n`);
}
