import type { Forwarded as Why } from "../cache-status.js";
import { isNotModified, unconditional } from "../conditional.js";
import { toFields } from "../fields.js";
import { fieldsFromOrigin } from "../served-fields.js";
import { freshenFromHead } from "../validation.js";
import { type Answer, notModified } from "./answer.js";
import { claim } from "./claim.js";
import type { Forwarded } from "./host.js";
import { ask, type Inquiry, type Question, timing } from "./inquiry.js";
import { Lease } from "./lease.js";
import { serve } from "./serve.js";
import { forwardUnlessReplaced, type Validation, whyOf } from "./validate.js";

type Known = Omit<Validation, "lease">;

/** Asks the origin by HEAD, where nothing is stored. */
export async function head(inquiry: Inquiry, how: Why): Promise<Answer> {
  const { interest } = ask(inquiry, undefined, undefined);
  return passOn(inquiry, await inquiry.forward(inquiry.asked.fields, interest), how);
}

/** Asks the origin by HEAD; what it says also concerns the stored response to GET. RFC 9111 §4.3.5. */
export async function validateByHead(inquiry: Inquiry, known: Known): Promise<Answer> {
  const question = ask(inquiry, undefined, known.place);
  // What it says of the stored response must not be about what this client has.
  const fields = unconditional(inquiry.asked.fields);
  const forwarded = await forwardUnlessReplaced(inquiry, known.entry, fields, question);
  if (!forwarded) return serve(inquiry, known.entry, known.decision);
  if (!forwarded.failed) await learn(inquiry, known, forwarded, question);
  const answer = passOn(inquiry, forwarded, whyOf(known.decision));
  const selected = { ...answer, responseTimeMs: inquiry.settings.clock.now() };
  return isNotModified(inquiry.asked.fields, selected) ? notModified(answer.fields) : answer;
}

async function learn(
  inquiry: Inquiry,
  { entry, place }: Known,
  { response, preset }: Forwarded,
  question: Question,
): Promise<void> {
  const { asked, settings, publisher, store } = inquiry;
  const got = { status: response.status, fields: toFields(response.headers), preset };
  const result = freshenFromHead(entry.head, asked, got, timing(question, inquiry), settings.policy);
  if (result?.outcome === "stale") await inquiry.inBackground(store.soften(entry.key), "head");
  if (result?.outcome !== "updated") return;
  const work = async (): Promise<void> => {
    const lease = await claim(inquiry, entry, true);
    if (!(lease instanceof Lease)) return;
    const storing = { request: asked, lease, place, stamp: question.stamp, preset };
    await publisher.freshen(storing, entry, result.stored);
  };
  await inquiry.inBackground(work(), "head");
}

function passOn(inquiry: Inquiry, { response }: Forwarded, how: Why): Answer {
  const fields = fieldsFromOrigin(toFields(response.headers), inquiry.status({ how }));
  return { status: response.status, fields, body: response.body };
}
