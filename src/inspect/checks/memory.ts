import type { Check } from "./check.js";
import { bytes, type Diagnosis, duration, figure, note, ok, percent, problem, Skip, warning } from "./finding.js";
import { at, type ServerInfo, type Subject } from "./subject.js";

/** Above this share of maxmemory a server that evicts nothing is as good as full. */
const NEARLY_FULL = 0.9;
/** Below this, figures on fragmentation say nothing. */
const SMALL_BYTES = 64 * 1024 * 1024;

/** What the server does when its memory is full. */
export const eviction: Check = {
  name: "eviction",
  needsServer: true,
  async run(subject) {
    const servers = await subject.info();
    return alike(servers, (server) => evictionOf(server, subject));
  },
};

function evictionOf(server: ServerInfo, { settings }: Subject): Diagnosis {
  const [policy, limit] = [server.text("maxmemory_policy"), server.number("maxmemory")];
  if (policy === undefined || limit === undefined) throw new Skip("INFO has no maxmemory");
  if (limit === 0) {
    return warning(
      `no maxmemory, policy ${policy}`,
      "The server grows until the machine has no memory left: then the system ends it, or it swaps and becomes slow.",
      'run "CONFIG SET maxmemory <bytes>" and "CONFIG SET maxmemory-policy allkeys-lru", and set both in its configuration',
    );
  }
  const found = `maxmemory ${bytes(limit)}, policy ${policy}`;
  const remedy = 'run "CONFIG SET maxmemory-policy allkeys-lru", or allkeys-lfu, and set it in the configuration';
  if (policy === "noeviction") {
    const used = (server.number("used_memory") ?? 0) / limit;
    const isFull = used >= NEARLY_FULL;
    const diagnose = isFull ? problem : warning;
    return diagnose(
      `${found}, ${percent(used)} used`,
      isFull
        ? "Writes fail with OOM now or soon: set rejects, and getOrSet stores nothing, so every call loads."
        : "Writes fail with OOM once it is full: set rejects, and getOrSet stores nothing, so every call loads.",
      remedy,
    );
  }
  if (policy.startsWith("volatile-")) {
    const never = settings.ttlMs === null;
    const diagnose = never ? warning : note;
    return diagnose(
      found,
      `Entries that never expire are never evicted${never ? ", and this cache's default ttl is null" : ""}. When only those are left, writes fail with OOM.`,
      remedy,
    );
  }
  if (policy === "allkeys-random") {
    return note(found, "Entries that are read often go as soon as any other.", remedy);
  }
  return ok(
    found,
    "When it is full, the entries that are used least go. Locks, leases and the purge log may be among them when all else is used more.",
  );
}

/** How full the server is. */
export const memory: Check = {
  name: "memory",
  needsServer: true,
  async run(subject) {
    return (await subject.info()).map((server) => {
      const diagnosis = memoryOf(server);
      return { ...diagnosis, found: at(server, diagnosis.found) };
    });
  },
};

function memoryOf(server: ServerInfo): Diagnosis {
  const used = server.number("used_memory");
  if (used === undefined) throw new Skip("INFO has no used_memory");
  const [limit = 0, evicted = 0] = [server.number("maxmemory"), server.number("evicted_keys")];
  const [rss, ratio] = [server.number("used_memory_rss"), server.number("mem_fragmentation_ratio")];
  const uptimeMs = Math.max(1, server.number("uptime_in_seconds") ?? 0) * 1_000;
  const found = [
    limit > 0 ? `${bytes(used)} of ${bytes(limit)} (${percent(used / limit)})` : `${bytes(used)} used`,
    `${figure(evicted)} keys evicted in ${duration(uptimeMs)}`,
    ...(rss !== undefined && ratio !== undefined ? [`${bytes(rss)} resident, fragmentation ${ratio}`] : []),
  ].join(", ");
  if (ratio !== undefined && ratio < 0.8 && used > SMALL_BYTES) {
    return warning(
      found,
      "A part of the data is swapped out: reads of it take milliseconds or more.",
      "give the machine more memory, or lower maxmemory",
    );
  }
  if (ratio !== undefined && ratio > 1.5 && used > SMALL_BYTES) {
    return note(
      found,
      "The server holds more memory than its data takes.",
      'run "CONFIG SET activedefrag yes", or plan for the resident size',
    );
  }
  if (evicted > 0) {
    return note(
      found,
      "Entries went before their end, so some misses come from a lack of memory.",
      "raise maxmemory, give entries a shorter ttl, or compress values, if the hit ratio is too low",
    );
  }
  return ok(found, "No entry went before its end.");
}

/** One finding where all servers have the same, and one for each server where they differ. */
export function alike(servers: readonly ServerInfo[], judge: (server: ServerInfo) => Diagnosis): Diagnosis[] {
  const all = servers.map((server) => ({ server, diagnosis: judge(server) }));
  const texts = new Set(all.map(({ diagnosis }) => diagnosis.found));
  const [first] = all;
  if (first && texts.size === 1) return [first.diagnosis];
  return all.map(({ server, diagnosis }) => ({ ...diagnosis, found: at(server, diagnosis.found) }));
}
