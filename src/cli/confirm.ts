import { createInterface } from "node:readline/promises";
import { EXIT, Exit } from "./exit-codes.js";
import type { Context } from "./io.js";
import { wrap } from "./terminal/width.js";

/** Whether questions can be asked: a person can see them, and answer. */
export function canAsk({ io, err }: Pick<Context, "io" | "err">): boolean {
  return io.stdin.isTTY === true && err.isTerminal;
}

/** @throws {Exit} where a change needs a confirmation that can't be asked for */
export function checkConfirmation(context: Context): void {
  if (context.options.flag("yes") || context.options.flag("dryRun") || canAsk(context)) return;
  throw new Exit(
    EXIT.notConfirmed,
    "nothing was changed: a change is confirmed on a terminal, and there is none; give --yes, or --dry-run to see what matches",
  );
}

/**
 * Asks on standard error.
 * @param expected what confirms, as it is to be typed; without it `y` or `yes` does
 * @throws {Exit} on any other answer, and at the end of the input
 */
export async function confirm(context: Context, question: string, expected?: string): Promise<void> {
  const { io, err, signal } = context;
  const lines = wrap(`${question} ${expected === undefined ? "[y/N] " : ""}`, err.columns - 1);
  await err.text(
    lines
      .slice(0, -1)
      .map((line) => `${line}\n`)
      .join(""),
  );
  const reader = createInterface({ input: io.stdin, output: process.stderr, terminal: false });
  // Ends the question when the input does, as it would never be answered.
  const ended = new AbortController();
  reader.once("close", () => ended.abort());
  try {
    await err.text(`${lines.at(-1)?.trimEnd()} `);
    const answer = await reader.question("", { signal: AbortSignal.any([signal, ended.signal]) });
    const isYes = expected === undefined ? /^\s*y(es)?\s*$/i.test(answer) : answer.trim() === expected;
    if (isYes) return;
  } catch (error) {
    if (signal.aborted) {
      await err.text("\n");
      throw signal.reason;
    }
    if (!ended.signal.aborted) throw error;
    await err.text("\n");
  } finally {
    reader.close();
  }
  throw new Exit(EXIT.notConfirmed, "nothing was changed, as it was not confirmed");
}
