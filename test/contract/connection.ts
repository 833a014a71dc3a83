import { afterAll, beforeAll, beforeEach, describe } from "vitest";
import type { Connection } from "../../src/core/connection.js";
import { hashReplies } from "./connection/hash-replies.js";
import { keyReplies } from "./connection/key-replies.js";
import { lifecycle } from "./connection/lifecycle.js";
import { roundTrips } from "./connection/round-trips.js";
import { scans } from "./connection/scans.js";
import { scripts } from "./connection/scripts.js";
import { setReplies } from "./connection/set-replies.js";
import { stringReplies } from "./connection/string-replies.js";
import { textAndBytes } from "./connection/text-and-bytes.js";

/** A transport with data of its own, which the suite may flush. */
export interface ConnectionSubject {
  readonly connection: Connection;
  /** A second connection to the same data. */
  other(): Promise<Connection>;
  /** Keys live in several slots on several nodes. @default false */
  readonly cluster?: boolean;
  stop(): Promise<void>;
}

/** The common behaviour of all transports: shapes of replies, errors in place, round trips, scripts, scans, closing. */
export function connectionContract(name: string, make: () => Promise<ConnectionSubject>): void {
  describe(`${name} as a connection`, () => {
    let made: ConnectionSubject;
    const subject = (): ConnectionSubject => made;
    beforeAll(async () => {
      made = await make();
    });
    beforeEach(async () => {
      await made.connection.send([["FLUSHALL"]]);
    });
    afterAll(() => made?.stop());

    for (const part of [stringReplies, keyReplies, setReplies, hashReplies]) part(subject);
    for (const part of [roundTrips, textAndBytes, scripts, scans, lifecycle]) part(subject);
  });
}
