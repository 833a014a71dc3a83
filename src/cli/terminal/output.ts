import { ReaderGone } from "../exit-codes.js";
import { hasColors, type Style, styleOf } from "./style.js";

/** What is used of standard output and of standard error. */
export interface TextStream {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  readonly rows?: number | undefined;
  write(text: string, done?: (error?: Error | null) => void): boolean;
}

/** Lines may be this short, and no shorter: less has no room for a word. */
const LEAST_COLUMNS = 20;

/** One of the two streams of a command, with what it may show. */
export class Output {
  readonly #stream: TextStream;
  readonly style: Style;
  readonly isTerminal: boolean;

  constructor(stream: TextStream, env: Readonly<Record<string, string | undefined>>) {
    this.#stream = stream;
    this.isTerminal = stream.isTTY === true;
    this.style = styleOf(hasColors(env, this.isTerminal));
  }

  /** The width of the terminal, which may change; unlimited in a pipe, whose reader should see whole lines. */
  get columns(): number {
    if (!this.isTerminal) return Number.POSITIVE_INFINITY;
    return Math.max(LEAST_COLUMNS, this.#stream.columns || 80);
  }

  get rows(): number {
    return this.#stream.rows || 24;
  }

  /** Writes lines, and waits until the stream takes more. @throws {ReaderGone} */
  lines(...lines: readonly string[]): Promise<void> {
    return lines.length === 0 ? Promise.resolve() : this.text(`${lines.join("\n")}\n`);
  }

  /** Writes text as it is. @throws {ReaderGone} */
  text(text: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#stream.write(text, (error) => (error ? reject(goneOr(error)) : resolve()));
    });
  }
}

/** Errors of a pipe whose reader has ended; Windows has another name for it. */
function goneOr(error: Error): Error {
  const code = "code" in error ? error.code : undefined;
  const isGone = code === "EPIPE" || code === "EOF" || code === "ERR_STREAM_DESTROYED";
  return isGone ? new ReaderGone("the reader of the output has ended", { cause: error }) : error;
}
