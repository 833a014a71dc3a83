import type { Address } from "../../core/location.js";
import type { ReadFrom } from "../options.js";
import { ProbeError, type ProbeResult, type ProbeSettings, probe, TopologyError } from "../probe.js";

/** Several servers with the same credentials. */
export interface ServerSettings extends Omit<ProbeSettings, "timeoutMs" | "asks"> {
  readonly addresses: readonly Address[];
  readonly connectTimeoutMs: number;
  readonly readFrom: ReadFrom;
}

export interface Topology {
  readonly primary: Address;
  /** All other servers, if reads go to replicas and at least one replica answers. */
  readonly replicas: readonly Address[];
  /** Whether all servers answer. */
  readonly isWhole: boolean;
  readonly doubt: ProbeResult["doubt"];
}

/** Resolves when one of the servers accepts the login. @throws {ProbeError} when none does */
export async function anyAnswer(
  settings: ServerSettings & { readonly cluster: boolean },
  timeoutMs: number,
): Promise<ProbeResult> {
  const asks = settings.cluster ? "cluster" : "life";
  const asked = settings.addresses.map((address) => probe(address, { ...settings, timeoutMs, asks }));
  try {
    return await Promise.any(asked);
  } catch (error) {
    throw error instanceof AggregateError ? error.errors[0] : error;
  }
}

/** Asks all servers for their role. The first server is the primary where none of them replies with its role. @throws {ProbeError} */
export async function findPrimary(settings: ServerSettings): Promise<Topology> {
  const { addresses, connectTimeoutMs, readFrom } = settings;
  // The rest of the dial needs time as well, even if one server is silent.
  const timeoutMs = Math.ceil(connectTimeoutMs / 3);
  const asked = addresses.map(async (address) => {
    const answer = await probe(address, { ...settings, timeoutMs, asks: "role" }).catch((error: unknown) => ({
      error,
    }));
    return { address, ...answer };
  });
  const all = await Promise.all(asked);
  const node = all.find((one) => "error" in one && one.error instanceof TopologyError);
  if (node && "error" in node) throw node.error;
  const answered = all.filter((one) => "role" in one);
  const primaries = answered.filter(({ role }) => role === "primary");
  if (primaries.length > 1) {
    const names = primaries.map(({ address }) => toText(address)).join(" and ");
    throw new ProbeError(`${names} are both primaries`, "name one primary and its replicas in the location");
  }
  const primary = primaries[0] ?? answered.find(({ role }) => role === undefined);
  if (!primary) {
    const failed = all.find((one) => "error" in one);
    if (failed) throw failed.error;
    const names = addresses.map(toText).join(", ");
    throw new ProbeError(`none of ${names} is a primary`, "name the primary in the location");
  }
  const others = addresses.filter((address) => address !== primary.address);
  const hasReaders = readFrom !== "primary" && answered.length > 1;
  return {
    primary: primary.address,
    replicas: hasReaders ? others : [],
    isWhole: answered.length === all.length,
    doubt: primary.doubt,
  };
}

function toText({ host, port }: Address): string {
  return `${host}:${port}`;
}
