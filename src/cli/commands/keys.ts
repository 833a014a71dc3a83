import { show } from "../../core/errors.js";
import { countKeys, listKeys } from "../../inspect/list.js";
import type { KeyRow, KeySelection } from "../../inspect/port.js";
import { keyText, leftText, sizeText, stateStyle, tagsText } from "../entry-text.js";
import { EXIT } from "../exit-codes.js";
import type { Context, Run } from "../io.js";
import { type Column, isNarrow, tableRow } from "../terminal/layout.js";
import type { Output } from "../terminal/output.js";
import { safeJson } from "../terminal/printable.js";
import { ProgressView } from "../terminal/progress.js";
import { counted, duration } from "../terminal/units.js";
import { wrap } from "../terminal/width.js";

export const keys: Run = async (context) => {
  const { cache, args, options, out, err, json, signal, clockOffsetMs } = context;
  const [pattern] = args;
  const { prefix, version } = cache.parts.settings;
  const selection: KeySelection = {
    pattern,
    ...(options.list("namespace").length > 0 ? { namespaces: options.list("namespace") } : {}),
    version: options.flag("allVersions") ? undefined : version,
    tag: options.text("tag"),
  };
  const limit = options.number("limit") ?? Number.POSITIVE_INFINITY;
  const total = await countKeys(cache);
  const progress = new ProgressView(err, "Scanning", "found");
  let shown = 0;
  let scanned = 0;
  let isLimited = false;
  try {
    for await (const batch of listKeys(cache, selection, { signal })) {
      scanned = batch.scanned;
      // The purge log has a key of the cache, and is no entry.
      const rows = batch.rows.filter(({ kind }) => kind !== "purge-log").slice(0, limit - shown);
      if (rows.length > 0) {
        progress.clear();
        if (shown === 0 && !json) await out.lines(...head(out));
        const atMs = Date.now() + clockOffsetMs;
        await out.lines(...rows.flatMap((row) => (json ? [safeJson(row)] : rowLines(row, { out, atMs, version }))));
        shown += rows.length;
      }
      if (shown >= limit) {
        isLimited = true;
        break;
      }
      progress.update({ scanned, total, matched: shown, bytes: 0 });
    }
  } finally {
    progress.clear();
  }
  if (err.isTerminal || shown === 0) {
    const end = isLimited ? "; there may be more, as --limit ended the scan" : "";
    const where = shown === 0 ? `; the prefix is ${show(prefix)}, and the version ${version}` : "";
    const text = `${counted(shown, "entry", "entries")} of ${counted(scanned, "key")} looked at, in ${duration(progress.elapsedMs)}${end}${where}`;
    await err.lines(...wrap(text, err.columns).map(err.style.dim));
  }
  return EXIT.ok;
};

const COLUMNS: readonly Column[] = [
  { title: "STATE", width: 10 },
  { title: "KIND", width: 11 },
  { title: "LEFT", width: 8, align: "right" },
  { title: "SIZE", width: 10, align: "right" },
];

function head(out: Output): string[] {
  if (isNarrow(out)) return [];
  const cells = [...COLUMNS.map(({ title }) => ({ text: title })), { text: "KEY" }];
  return tableRow(COLUMNS, cells, out.columns).map(out.style.dim);
}

interface View {
  readonly out: Context["out"];
  readonly atMs: number;
  readonly version: number;
}

function rowLines(row: KeyRow, { out, atMs, version }: View): string[] {
  const { style, columns } = out;
  const tags = tagsText(row.tags);
  const key = `${keyText(row, version)}${tags === "" ? "" : `  {${tags}}`}`;
  const left = leftText(row, atMs);
  const color = stateStyle(row.state, style);
  if (!isNarrow(out)) {
    const cells = [{ text: row.state, style: color }, { text: row.kind }, { text: left }, { text: sizeText(row) }];
    return tableRow(COLUMNS, [...cells, { text: key }], columns);
  }
  const [first = "", ...more] = wrap(`${row.state}, ${row.kind}, ${left} left, ${sizeText(row)}`, columns - 2);
  const details = [color(first), ...more.map(color)].map((line) => `  ${line}`);
  return [...wrap(key, columns).map(style.bold), ...details];
}
