import { currentAgeMs } from "../http/rfc/age.js";
import { NO_DIRECTIVES } from "../http/rfc/cache-control.js";
import { makePolicy } from "../http/rfc/policy.js";
import { decide } from "../http/rfc/select.js";
import type { Inspected } from "./entry.js";
import { count, duration } from "./figures.js";
import type { WhyReport } from "./port.js";

/** What the HTTP cache would do with a request, and the fact that decides it. */
interface ResponseOutcome {
  readonly outcome: WhyReport["outcome"];
  readonly does: string;
  readonly because: string;
  readonly reasons: readonly string[];
}

/** What the HTTP cache would do with a GET without conditions; `undefined` where the key holds nothing of it. */
export function responseOutcome({ form, raw, judgement }: Inspected): ResponseOutcome | undefined {
  switch (form.is) {
    case "variants": {
      const { variants, names } = form.index;
      const because = `the URL has ${count(variants.length, "variant")} by ${names.map((list) => list.join(", ")).join("; ")}`;
      return { outcome: "hit", does: "look for the variant that its fields choose", because, reasons: [] };
    }
    case "uncacheable": {
      const why = form.isLarge ? "was too large" : "could not be stored";
      const because = `the last response of the URL ${why}`;
      return { outcome: "load", does: "ask the origin, and wait for no other request", because, reasons: [] };
    }
    case "response":
      break;
    default:
      return undefined;
  }
  const { head, isInvalid } = form;
  if (judgement.error) {
    const because = `the purge log can't be read: ${judgement.error.message}`;
    return { outcome: "alone", does: "ask the origin", because, reasons: [] };
  }
  if (judgement.verdict === "hard") {
    return { outcome: "load", does: "ask the origin", because: "a tag of the response was purged since", reasons: [] };
  }
  const invalid = isInvalid || judgement.verdict === "soft";
  const decision = decide({ stored: head, invalid }, NO_DIRECTIVES, makePolicy(), raw.nowMs);
  const leftMs = head.lifetimeMs - currentAgeMs(head, raw.nowMs);
  const age = leftMs > 0 ? `it is fresh for ${duration(leftMs)} more` : `it has been stale for ${duration(leftMs)}`;
  if (decision.action !== "serve") {
    const because = invalid ? "it was purged softly" : head.alwaysValidate ? "it is validated before each use" : age;
    return { outcome: "load", does: "validate the stored response with the origin", because, reasons: [] };
  }
  if (!decision.revalidate) return { outcome: "hit", does: "be answered from the store", because: age, reasons: [] };
  const window = `It may be served stale for ${duration(head.staleWhileRevalidateMs)} while it is validated.`;
  return {
    outcome: "refresh",
    does: "be answered from the store while it is validated",
    because: age,
    reasons: [window],
  };
}
