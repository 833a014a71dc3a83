import { compileGlob, type GlobMatcher } from "../../core/glob.js";
import type { Args } from "./arguments.js";
import { err, refusals } from "./arguments.js";
import { Bulk } from "./bulk.js";
import type { Answer } from "./store.js";

const CURSOR_LIMIT = 2n ** 64n;

/** SSCAN and HSCAN return everything in one page, as a server does for small collections. Any cursor starts over. */
export function checkCursor(args: Args): void {
  const cursor = args.text(2);
  if (!/^\d{1,20}$/.test(cursor) || BigInt(cursor) >= CURSOR_LIMIT) throw err("invalid cursor");
}

export interface ScanFilter {
  readonly matches: GlobMatcher;
  readonly noValues: boolean;
}

/** The options after the cursor. Like the server, it reports the first wrong option. */
export function parseScanFilter(args: Args): ScanFilter {
  let matches: GlobMatcher = () => true;
  let noValues = false;
  for (let index = 3; index < args.length; index++) {
    const word = args.word(index);
    const last = index + 1 === args.length;
    if (word === "NOVALUES" && args.name.toUpperCase() !== "HSCAN")
      throw err("NOVALUES option can only be used in HSCAN");
    if (word === "NOVALUES") noValues = true;
    else if (word === "COUNT" && !last) checkCount(args.integer(++index));
    else if (word === "MATCH" && !last) matches = compileGlob(args.bulk(++index).text());
    else throw refusals.syntax();
  }
  return { matches, noValues };
}

/** A page with cursor 0, which ends the scan. */
export function scanned(found: Answer[]): Answer {
  return [Bulk.from("0"), found];
}

function checkCount(count: number): void {
  if (count < 1) throw refusals.syntax();
}
