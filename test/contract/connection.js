import { afterAll, beforeAll, beforeEach, describe } from "vitest";
import { flights } from "./connection/flights.js";
import { hashReplies } from "./connection/hash-replies.js";
import { keyReplies } from "./connection/key-replies.js";
import { lifecycle } from "./connection/lifecycle.js";
import { scans } from "./connection/scans.js";
import { scripts } from "./connection/scripts.js";
import { setReplies } from "./connection/set-replies.js";
import { stringReplies } from "./connection/string-replies.js";
import { textAndBytes } from "./connection/text-and-bytes.js";
/** What every transport does alike: the replies' shapes, errors in place, flights, scripts, scans, closing. */
export function connectionContract(name, make) {
    describe(`${name} as a connection`, () => {
        let made;
        const subject = () => made;
        beforeAll(async () => {
            made = await make();
        });
        beforeEach(async () => {
            await made.connection.send([["FLUSHALL"]]);
        });
        afterAll(() => made?.stop());
        for (const part of [stringReplies, keyReplies, setReplies, hashReplies])
            part(subject);
        for (const part of [flights, textAndBytes, scripts, scans, lifecycle])
            part(subject);
    });
}
