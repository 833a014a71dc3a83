import type { WhyReport } from "../../inspect/port.js";
import { explain } from "../../inspect/why.js";
import { entryFields } from "../entry-text.js";
import { EXIT } from "../exit-codes.js";
import type { Run } from "../io.js";
import { keyOf } from "../keys-of.js";
import { type Cell, fields } from "../terminal/layout.js";
import type { Output } from "../terminal/output.js";
import { printable, safeJson } from "../terminal/printable.js";
import type { Style } from "../terminal/style.js";
import { wrap } from "../terminal/width.js";

export const why: Run = async (context) => {
  const { cache, args, options, out, json } = context;
  const report = await explain(cache, keyOf(context, args[0] ?? ""), { tags: options.list("tag") });
  await out.lines(...(json ? [safeJson(report)] : lines(report, out)));
  return EXIT.ok;
};

function lines({ outcome, summary, reasons, hints, entry }: WhyReport, out: Output): string[] {
  const { style, columns } = out;
  const color = outcomeStyle(outcome, style);
  return [
    ...wrap(printable(summary), columns).map((line) => color(style.bold(line))),
    ...list(reasons, columns, (text) => text),
    ...(hints.length > 0 ? ["", style.bold("What to look at")] : []),
    ...list(hints, columns, style.yellow),
    ...(entry.state === "none" ? [] : ["", style.bold("The entry"), ...fields(entryFields(entry, out), out)]),
  ];
}

function list(texts: readonly string[], columns: number, style: NonNullable<Cell["style"]>): string[] {
  return texts.flatMap((text) =>
    wrap(printable(text), columns - 2).map((line, i) => `${i === 0 ? "- " : "  "}${style(line)}`),
  );
}

function outcomeStyle(outcome: WhyReport["outcome"], style: Style): (text: string) => string {
  const colors: Readonly<Record<WhyReport["outcome"], (text: string) => string>> = {
    hit: style.green,
    refresh: style.yellow,
    wait: style.cyan,
    load: style.yellow,
    alone: style.yellow,
    fail: style.red,
  };
  return colors[outcome];
}
