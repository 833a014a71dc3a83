import { writeSync } from "node:fs";

const ENTER = "\x1b[?1049h\x1b[?25l";
const LEAVE = "\x1b[?25h\x1b[?1049l";

let isEntered = false;

/** Shows the alternate screen, without a cursor. */
export function enterScreen(): void {
  if (isEntered) return;
  isEntered = true;
  write(ENTER);
}

/** Puts the terminal back as it was. Safe to call at any time, also while the process ends. */
export function restoreTerminal(): void {
  if (!isEntered) return;
  isEntered = false;
  if (process.stdin.isTTY) process.stdin.setRawMode(false);
  write(LEAVE);
}

/** Replaces what the screen shows. Lines are overwritten in place, as a cleared screen would flicker. */
export function frame(lines: readonly string[], rows: number): string {
  const shown = lines.slice(0, rows).map((line) => `${line}\x1b[K`);
  return `\x1b[H${shown.join("\r\n")}\x1b[J`;
}

/** At once, as the process may be about to end. */
function write(text: string): void {
  try {
    writeSync(1, text);
  } catch {
    // The terminal is gone.
  }
}
