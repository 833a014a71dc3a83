import { beforeAll, describe, expect, it } from "vitest";
import { output } from "../support/project.js";
import { type Attempts, attempts, NAMES } from "./attempts.js";
import { keepFigures } from "./figures.js";

/** `npm run faults` runs longer. */
const SECONDS = Number(process.env.ATTEMPT_SECONDS ?? 4);
/** Two a second after a burst, as the first pauses between dials are short and valkey-glide retries by itself. */
const MOST = Math.min(60, 15 + 2 * SECONDS);

const CAUSES: Readonly<Record<string, RegExp>> = {
  "wrong password": /WRONGPASS|authentication failed/i,
  certificate: /certificate/i,
  maxclients: /max number of clients|closed|terminated|broken|reset/i,
  reset: /ECONNRESET|reset|closed|terminated|broken/i,
  hanging: /no answer|could not be reached|did not answer|timed out/i,
  "unknown database": /database|DB index/i,
  "refused port": /refused/i,
  "refuses valkey-glide": /^$|valkey-glide can't connect|reset|closed|terminated|broken/i,
  "no route": /ENETUNREACH|unreachable/i,
};

describe("a server that can't be used", () => {
  let all: readonly Attempts[] = [];

  beforeAll(
    async () => {
      const counts = await output("unshare", ["-rn", "ip", "link", "set", "lo", "up"]).then(
        () => true,
        () => false,
      );
      const options = { seconds: SECONDS, quietSeconds: 1.5, counts };
      all = (await Promise.all(NAMES.map((name) => attempts(name, options)))).flat();
      await keepFigures("attempts", { cases: all.map((one) => ({ seconds: SECONDS, ...one })) });
    },
    (2 * SECONDS + 90) * 1_000,
  );

  const of = (transport: string) => all.filter((one) => one.transport === transport);

  it.each(NAMES)("gets few connections over %s, and none after close()", (transport) => {
    const busy = of(transport).filter(({ connections, afterClose }) => connections > MOST || afterClose > 0);
    expect(busy).toEqual([]);
    expect(of(transport).length).toBeGreaterThan(4);
  });

  it.each(NAMES)("is reported over %s by errors that name the cause", (transport) => {
    for (const { cause, error } of of(transport)) if (CAUSES[cause]) expect(error, cause).toMatch(CAUSES[cause]);
  });

  it("does not delay close()", () => {
    expect(all.filter(({ closeMs }) => closeMs > 2_500)).toEqual([]);
  });
});
