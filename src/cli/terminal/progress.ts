import type { Progress } from "../../inspect/port.js";
import type { Output } from "./output.js";
import { bytes, counted, duration, number } from "./units.js";
import { cut } from "./width.js";

/** How often a bar is drawn, and how often a line is written where there is no terminal. */
const BAR_MS = 100;
const LINE_MS = 5_000;

/** Shows how far a long work has come: a bar on a terminal, a line every few seconds elsewhere. */
export class ProgressView {
  readonly #err: Output;
  readonly #what: string;
  readonly #verb: string;
  readonly #startMs = performance.now();
  #shownMs = performance.now();
  #isShown = false;

  /**
   * @param what the work, such as "Deleting"
   * @param verb what has happened to what matches, such as "deleted"
   */
  constructor(err: Output, what: string, verb: string) {
    this.#err = err;
    this.#what = what;
    this.#verb = verb;
  }

  get elapsedMs(): number {
    return performance.now() - this.#startMs;
  }

  readonly update = (progress: Progress): void => {
    const nowMs = performance.now();
    if (nowMs - this.#shownMs < (this.#err.isTerminal ? BAR_MS : LINE_MS)) return;
    this.#shownMs = nowMs;
    const text = this.#describe(progress);
    if (!this.#err.isTerminal) return void this.#err.lines(text).catch(() => {});
    this.#isShown = true;
    // One column stays free, as some terminals begin a new line when the last one is full.
    void this.#err.text(`\r${this.#bar(progress)}${cut(text, this.#err.columns - 1 - BAR - 1)}\x1b[K`).catch(() => {});
  };

  /** Removes the bar, so that lines can be written. */
  clear(): void {
    if (!this.#isShown) return;
    this.#isShown = false;
    void this.#err.text("\r\x1b[K").catch(() => {});
  }

  #bar({ scanned, total }: Progress): string {
    const part = total ? Math.min(1, scanned / total) : 0;
    const full = Math.round(part * (BAR - 2));
    return `${this.#err.style.cyan("=".repeat(full))}${this.#err.style.dim("-".repeat(BAR - 2 - full))}  `;
  }

  #describe({ scanned, total, matched, bytes: size }: Progress): string {
    const seconds = Math.max(0.001, this.elapsedMs / 1_000);
    const rate = scanned / seconds;
    const leftMs = total !== undefined && total > scanned && rate > 0 ? (1_000 * (total - scanned)) / rate : 0;
    const percent = total ? `${Math.min(100, Math.floor((100 * scanned) / total))} %` : "";
    return [
      [this.#what, percent].filter(Boolean).join(" "),
      `${number(matched)} ${this.#verb}${size > 0 ? ` (${bytes(size)})` : ""}`,
      `${counted(scanned, "key")}${total === undefined ? "" : ` of ${number(total)}`}`,
      `${number(rate)}/s`,
      ...(leftMs > 0 ? [`${duration(leftMs)} left`] : []),
    ].join(", ");
  }
}

/** Columns of the bar. */
const BAR = 14;
