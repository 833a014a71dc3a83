import type { KeyRow, Progress, PurgePreview, PurgeTarget } from "../inspect/port.js";
import { previewPurge, purge } from "../inspect/purge.js";
import { canAsk, checkConfirmation, confirm } from "./confirm.js";
import { keyText, leftText, sizeText, stateStyle } from "./entry-text.js";
import { EXIT, Interrupted } from "./exit-codes.js";
import type { Context } from "./io.js";
import type { Output } from "./terminal/output.js";
import { safeJson } from "./terminal/printable.js";
import { ProgressView } from "./terminal/progress.js";
import { bytes, counted, duration, number } from "./terminal/units.js";
import { wrap } from "./terminal/width.js";

/** A change of many entries: what it is about, and how it is named. */
export interface Work {
  readonly targets: readonly PurgeTarget[];
  readonly soft?: boolean;
  readonly free?: boolean;
  /** "Delete": the beginning of the question. */
  readonly verb: string;
  /** "Deleting": what the progress says. */
  readonly doing: string;
  /** "deleted": what has happened to entries. */
  readonly done: string;
  /** What is changed, such as "the namespace tenant-42". */
  readonly what: string;
  /** One write ends all, which counts nothing. */
  readonly isOneWrite: boolean;
  /** What has to be typed to a second question. @default there is one question */
  readonly second?: { readonly question: string; readonly answer: string };
}

const NOTHING: Progress = { scanned: 0, total: undefined, matched: 0, bytes: 0 };

/** Shows what a work would change, asks, does it, and says what was done. @returns the exit code */
export async function carryOut(context: Context, work: Work): Promise<number> {
  checkConfirmation(context);
  const { options, out, err, json } = context;
  const isDry = options.flag("dryRun");
  const preview = options.flag("yes") && !isDry ? undefined : await look(context, work);
  if (preview) {
    const target = isDry && !json ? out : err;
    if (!(isDry && json)) await target.lines(...previewLines(preview, work, context, target));
    if (isDry) {
      if (json) await out.lines(safeJson({ dryRun: true, preview }));
      return EXIT.ok;
    }
    if (preview.matched === 0 && !work.isOneWrite) {
      if (json) await out.lines(safeJson({ interrupted: false, done: preview }));
      return EXIT.ok;
    }
    await ask(context, work);
  }
  return run(context, work);
}

async function ask(context: Context, { verb, what, second }: Work): Promise<void> {
  if (!canAsk(context)) return;
  await confirm(context, `${verb} ${what}?`);
  if (second) await confirm(context, second.question, second.answer);
}

/** What would be changed. An interruption changes nothing. */
async function look(context: Context, { targets }: Work): Promise<PurgePreview> {
  const view = new ProgressView(context.err, "Looking", "found");
  let before: PurgePreview = { ...NOTHING, samples: [] };
  try {
    for (const target of targets) {
      const found = await previewPurge(context.cache, target, {
        signal: context.signal,
        onProgress: (progress) => view.update(sum(before, progress)),
      });
      before = { ...sum(before, found), samples: [...before.samples, ...found.samples].slice(0, 20) };
    }
    return before;
  } finally {
    view.clear();
  }
}

async function run(context: Context, work: Work): Promise<number> {
  const { cache, out, err, json, signal, commandLine } = context;
  const { targets, soft = false, free = false, doing, done: verb } = work;
  const view = new ProgressView(err, doing, verb);
  let before = NOTHING;
  let now = NOTHING;
  try {
    for (const target of targets) {
      signal.throwIfAborted();
      const onProgress = (progress: Progress): void => {
        now = sum(before, progress);
        view.update(now);
      };
      before = sum(before, await purge(cache, target, { signal, onProgress, soft, free }));
      now = before;
    }
  } catch (error) {
    view.clear();
    const isInterrupted = error instanceof Interrupted;
    const text = `${isInterrupted ? "Interrupted" : "Stopped"}: ${counted(now.matched, "entry", "entries")} ${verb} so far. Nothing is half done; \`${commandLine}\` goes on.`;
    if (isInterrupted || now.matched > 0) await err.lines(...wrap(text, err.columns));
    if (!isInterrupted) throw error;
    if (json) await out.lines(safeJson({ interrupted: true, done: now }));
    return error.code;
  }
  view.clear();
  if (json) await out.lines(safeJson({ interrupted: false, done: now }));
  else await out.lines(...wrap(doneText(now, work, view.elapsedMs), out.columns).map(out.style.green));
  return EXIT.ok;
}

function doneText({ matched, bytes: size }: Progress, { isOneWrite, done, what }: Work, elapsedMs: number): string {
  const took = `in ${duration(elapsedMs)}`;
  if (isOneWrite) return `${what.charAt(0).toUpperCase()}${what.slice(1)}: ${done} by one write, ${took}.`;
  return `${counted(matched, "entry", "entries")} ${done}${size > 0 ? ` (${bytes(size)})` : ""} ${took}.`;
}

function previewLines(preview: PurgePreview, work: Work, context: Context, output: Output): string[] {
  const { columns, style } = output;
  const { matched, samples, scanned, bytes: size } = preview;
  const looked = scanned > matched ? `, of ${counted(scanned, "key")} looked at` : "";
  const total = `${counted(matched, "entry", "entries")}${size > 0 ? ` with ${bytes(size)}` : ""}${looked}`;
  const title = `${work.what}: ${matched === 0 ? `nothing is stored${looked}` : total}`;
  const more = matched - samples.length;
  return [
    ...wrap(title.charAt(0).toUpperCase() + title.slice(1), columns).map(style.bold),
    ...samples.flatMap((row) => sampleLines(row, context, output)),
    ...(more > 0 ? [style.dim(`  and ${number(more)} more`)] : []),
  ];
}

function sampleLines(row: KeyRow, { cache, clockOffsetMs }: Context, { columns, style }: Output): string[] {
  const left = leftText(row, Date.now() + clockOffsetMs);
  const key = keyText(row, cache.parts.settings.version);
  const text = `${key}  (${row.state}, ${left === "never" ? "never expires" : `${left} left`}, ${sizeText(row)})`;
  return wrap(text, columns - 2).map((line) => `  ${stateStyle(row.state, style)(line)}`);
}

function sum(a: Progress, b: Progress): Progress {
  return {
    scanned: a.scanned + b.scanned,
    total: b.total,
    matched: a.matched + b.matched,
    bytes: a.bytes + b.bytes,
  };
}
