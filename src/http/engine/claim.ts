import type { Inquiry } from "./inquiry.js";
import { Lease } from "./lease.js";
import type { Entry } from "./record.js";

/** Takes the lease on a stored response; a store that fails is told of. @param force also in the pause after a failure */
export async function claim(
  { store, settings }: Inquiry,
  entry: Entry,
  force: boolean,
): Promise<Lease | "taken" | "failed"> {
  // The server would say no. By its clock, not this one: a rest is only a hint, and may be broken.
  if (!force && entry.leaseUntilMs > settings.clock.now()) return "taken";
  try {
    return (await Lease.claim(store.leases, entry, force)) ?? "taken";
  } catch (error) {
    settings.onError(error, { method: "claim", key: entry.key });
    return "failed";
  }
}
