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
 * Keys as scans find them, so many at a time. A browser reads a response far ahead of its page, so a page can't slow a scan
 * down by not reading. Each scan has a limit instead; where the page wants more, the next one begins anew with twice the
 * limit, and adds the keys that are not there yet. Together they look at no more than about twice as many keys as one would.
 */
export class Listing {
  readonly rows: KeyRow[] = [];
  scanned = 0;
  total: number | undefined;
  error: string | undefined;
  /** `reading`: the server scans. `waiting`: for a page to be asked for. `stopped`: the view was left, or the scan was stopped. */
  state: "reading" | "waiting" | "done" | "stopped" = "waiting";
  /** Namespaces of the keys seen so far, as JSON of their names, with the number of keys. */
  readonly namespaces = new Map<string, number>();
  readonly #filter: Filter;
  readonly #seen = new Set<string>();
  readonly #controller = new AbortController();
  #limit = 0;
  #onChange: () => void = () => undefined;

  constructor(filter: Filter) {
    this.#filter = filter;
  }

  /** Calls the listener with each change, in place of the one before. */
  watch(listener: () => void): void {
    this.#onChange = listener;
  }

  /** Reads until there are so many rows, or the whole database was looked at. */
  async readTo(rows: number): Promise<void> {
    if (this.state !== "waiting" || this.rows.length >= rows) return;
    this.state = "reading";
    this.#onChange();
    try {
      while (this.state === "reading" && this.rows.length < rows) await this.#scan(rows);
      if (this.state === "reading") this.state = "waiting";
    } catch (error) {
      if (this.#controller.signal.aborted) return;
      this.error = error instanceof Error ? error.message : String(error);
      this.state = "stopped";
    }
    this.#onChange();
  }

  /** Ends the scan that runs, if one does; the rows stay. */
  stop(): void {
    if (this.state !== "reading") return;
    this.state = "stopped";
    this.#controller.abort();
    this.#onChange();
  }

  async #scan(rows: number): Promise<void> {
    this.#limit = Math.max(rows, this.#limit * 2);
    const lines = getLines<KeysLine>(`api/keys?${this.#query()}`, { signal: this.#controller.signal });
    for await (const line of lines) {
      if ("error" in line) throw new Error(line.error);
      // A scan from the beginning is behind the one before at first.
      this.scanned = Math.max(this.scanned, line.scanned);
      if ("more" in line) return;
      if ("done" in line) {
        this.state = "done";
        return;
      }
      this.total = line.total;
      for (const row of line.rows) this.#add(row);
      this.#onChange();
    }
    throw new Error("The service has ended the list before it was complete. Scan again.");
  }

  #query(): URLSearchParams {
    const query = new URLSearchParams({ limit: String(this.#limit) });
    for (const name of ["pattern", "version", "tag"] as const) {
      if (this.#filter[name] !== "") query.set(name, this.#filter[name]);
    }
    for (const name of this.#filter.ns) query.append("ns", name);
    return query;
  }

  #add(row: KeyRow): void {
    if (this.#seen.has(row.storedKey)) return;
    this.#seen.add(row.storedKey);
    this.rows.push(row);
    const path = JSON.stringify(row.namespaces);
    this.namespaces.set(path, (this.namespaces.get(path) ?? 0) + 1);
  }
}
