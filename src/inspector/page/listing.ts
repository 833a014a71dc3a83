import type { KeyRow } from "../../inspect/port.js";
import type { KeysLine } from "../api.js";
import { getLines } from "./backend.js";

export const PAGE_SIZE = 100;

/** What of the keys is listed: the parameters of the view, and of `api/keys`. */
export interface Filter {
  readonly pattern: string;
  readonly ns: readonly string[];
  readonly version: string;
  readonly tag: string;
}

/**
 * Keys as a scan finds them. The stream is read only while a page wants rows, so that the server's scan stands still in
 * between; at most one page more than was asked for is in memory.
 */
export class Listing {
  readonly rows: KeyRow[] = [];
  scanned = 0;
  total: number | undefined;
  error: string | undefined;
  /** `reading`: the server scans. `waiting`: for a page to be asked for. `stopped`: the view was left, or by hand. */
  state: "reading" | "waiting" | "done" | "stopped" = "waiting";
  /** Namespaces of the keys seen so far, as JSON of their names, with the number of keys. */
  readonly namespaces = new Map<string, number>();
  readonly #controller = new AbortController();
  readonly #lines: AsyncGenerator<KeysLine>;
  #onChange: () => void = () => undefined;

  constructor(filter: Filter) {
    const query = new URLSearchParams();
    for (const name of ["pattern", "version", "tag"] as const) if (filter[name] !== "") query.set(name, filter[name]);
    for (const name of filter.ns) query.append("ns", name);
    this.#lines = getLines<KeysLine>(`api/keys?${query}`, { signal: this.#controller.signal });
  }

  /** Calls the listener with each change, in place of the one before. */
  watch(listener: () => void): void {
    this.#onChange = listener;
  }

  /** Reads until there are so many rows, or the scan has ended. */
  async readTo(rows: number): Promise<void> {
    if (this.state !== "waiting") return;
    this.state = this.rows.length >= rows ? "waiting" : "reading";
    try {
      while (this.state === "reading" && this.rows.length < rows) {
        const line = await this.#lines.next();
        if (line.done) this.#end("done");
        else this.#take(line.value);
        this.#onChange();
      }
      if (this.state === "reading") this.state = "waiting";
    } catch (error) {
      if (this.#controller.signal.aborted) return;
      this.error = error instanceof Error ? error.message : String(error);
      this.#end("stopped");
    }
    this.#onChange();
  }

  /** Ends the scan; the rows stay. */
  stop(): void {
    if (this.state === "done") return;
    this.#end("stopped");
    this.#controller.abort();
    this.#onChange();
  }

  #end(state: "done" | "stopped"): void {
    this.state = state;
  }

  #take(line: KeysLine): void {
    if ("error" in line) {
      this.error = line.error;
      this.#end("stopped");
      return;
    }
    this.scanned = line.scanned;
    if ("done" in line) {
      this.#end("done");
      return;
    }
    this.total = line.total;
    for (const row of line.rows) {
      this.rows.push(row);
      const path = JSON.stringify(row.namespaces);
      this.namespaces.set(path, (this.namespaces.get(path) ?? 0) + 1);
    }
  }
}
