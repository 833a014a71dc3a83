import type { Check } from "./check.js";
import { bytes, counted, type Diagnosis, duration, note, ok, problem, Skip, warning } from "./finding.js";
import { alike } from "./memory.js";
import { at, type ServerInfo, type Subject } from "./subject.js";

/** What a restart of the server means. */
export const persistence: Check = {
  name: "persistence",
  needsServer: true,
  async run(subject) {
    const servers = await subject.info();
    const settings = await subject.config("save", "appendfsync", "stop-writes-on-bgsave-error");
    return alike(servers, (server) => persistenceOf(server, settings ?? new Map()));
  },
};

function persistenceOf(server: ServerInfo, settings: ReadonlyMap<string, string>): Diagnosis {
  const [aof, changes] = [server.number("aof_enabled"), server.number("rdb_changes_since_last_save")];
  if (aof === undefined) throw new Skip("INFO has nothing on persistence");
  const failed = failureOf(server, settings.get("stop-writes-on-bgsave-error"));
  if (failed) return failed;
  if (aof === 1) {
    const fsync = settings.get("appendfsync") ?? "everysec, unless it was changed";
    const lost =
      fsync === "always" ? "nothing that was acknowledged" : "up to a second of writes, more with appendfsync no";
    const slow = fsync === "always" ? " Each write waits for the disk." : "";
    return ok(
      `append-only file, appendfsync ${fsync}`,
      `A restart keeps the entries and loses ${lost}: deletes and purges of that time are undone.${slow}`,
    );
  }
  const save = settings.get("save");
  if (save === "") {
    return ok(
      "no persistence",
      "After a restart the cache is empty, and loaders fill it again. Locks end with it: two callers may hold one.",
    );
  }
  const since = changes === undefined ? "" : `, ${counted(changes, "change")} since the last one`;
  if (save === undefined) {
    return note(
      `no append-only file; whether it takes snapshots is not known${since}`,
      "After a restart from a snapshot, entries come back that were deleted or purged since.",
      'for a cache alone, turn snapshots off ("save" with an empty value), or the append-only file on',
    );
  }
  return note(
    `snapshots (save ${save})${since}`,
    "After a restart from a snapshot, entries come back that were deleted or purged since, until they expire.",
    'for a cache alone, run "CONFIG SET save """; where restarts must keep deletes, run "CONFIG SET appendonly yes"',
  );
}

function failureOf(server: ServerInfo, stops: string | undefined): Diagnosis | undefined {
  const isRdbFailing = server.text("rdb_last_bgsave_status") === "err";
  const isAofFailing = server.text("aof_last_write_status") === "err";
  if (!isRdbFailing && !isAofFailing) return undefined;
  const what = isAofFailing ? "the last write to the append-only file failed" : "the last snapshot failed";
  const refuses = isAofFailing || stops !== "no";
  const diagnose = refuses ? problem : warning;
  return diagnose(
    what,
    refuses
      ? "The server refuses writes with MISCONF until it succeeds: set fails, and getOrSet stores nothing."
      : "A restart brings back old data.",
    "look into the server's log: usually its disk is full, or its folder can't be written",
  );
}

/** Replicas: what a failover loses, and how far reads from replicas are behind. */
export const replication: Check = {
  name: "replication",
  needsServer: true,
  async run(subject) {
    const servers = await subject.info();
    if (servers.every((server) => server.text("role") === undefined)) throw new Skip("INFO has nothing on replication");
    const settings = await subject.config("min-replicas-to-write");
    const demanded = Number(settings?.get("min-replicas-to-write") ?? 0);
    return servers.map((server) => {
      const diagnosis = replicationOf(server, demanded, subject);
      return { ...diagnosis, found: at(server, diagnosis.found) };
    });
  },
};

interface Replica {
  readonly state: string;
  /** Bytes of the replication stream that it has not acknowledged. */
  readonly behind: number;
  /** Since its last acknowledgement. */
  readonly lagMs: number;
}

function replicationOf(server: ServerInfo, demanded: number, { settings }: Subject): Diagnosis {
  const replicas = replicasOf(server);
  const good = replicas.filter(({ state, lagMs }) => state === "online" && lagMs <= 10_000).length;
  const readsReplicas = (settings.about?.readFrom ?? "primary") !== "primary";
  if (demanded > good) {
    return problem(
      `${counted(good, "replica")} that keep up, and min-replicas-to-write is ${demanded}`,
      "The server refuses writes with NOREPLICAS.",
      'bring the replicas back, or run "CONFIG SET min-replicas-to-write 0"',
    );
  }
  if (replicas.length === 0) {
    const found = "no replicas";
    if (!readsReplicas) return ok(found, "There is no copy: when the server is gone, loaders answer until it is back.");
    return note(
      found,
      `readFrom is "${settings.about?.readFrom}": the primary answers all reads.`,
      "add replicas, or leave readFrom out",
    );
  }
  const behind = Math.max(...replicas.map((one) => one.behind));
  const lagMs = Math.max(...replicas.map((one) => one.lagMs));
  const found = `${counted(replicas.length, "replica")}, ${bytes(behind)} and ${duration(lagMs)} behind at most`;
  const offline = replicas.filter(({ state }) => state !== "online").length;
  if (offline > 0 || lagMs > 10_000) {
    return warning(
      offline > 0 ? `${found}; ${counted(offline, "replica")} not online` : found,
      readsReplicas
        ? "Reads from replicas return what was replaced or deleted since, and a failover loses writes."
        : "A failover now loses writes, deletes and purges among them.",
      "look into the logs of the replicas, and at the network between them and the primary",
    );
  }
  return ok(
    found,
    readsReplicas
      ? "Reads from replicas may return what was replaced or deleted just before. A failover loses what they have not received."
      : "Replication does not wait: a failover loses the writes that replicas have not received, deletes, purges and locks among them.",
  );
}

function replicasOf(server: ServerInfo): Replica[] {
  const offset = server.number("master_repl_offset") ?? 0;
  return server.matching(/^slave\d+$/).map(([, text]) => {
    const fields = new Map(text.split(",").map((pair) => [pair.split("=")[0], pair.slice(pair.indexOf("=") + 1)]));
    const own = Number(fields.get("offset") ?? offset);
    return {
      state: fields.get("state") ?? "",
      behind: Math.max(0, offset - own),
      lagMs: Math.max(0, Number(fields.get("lag") ?? 0)) * 1_000,
    };
  });
}
