import { expect, it, vi } from "vitest";
import { memory } from "../../src/api/memory.js";
import { NO_TOKEN, seal } from "../../src/codec/envelope.js";
import type { Connection } from "../../src/core/connection.js";
import { PROCESS } from "../../src/core/connection.js";
import { ConnectionError } from "../../src/core/errors.js";
import { parseLocation } from "../../src/core/location.js";
import { systemClock } from "../../src/core/time.js";
import { Lease, type LeaseContext, newToken } from "../../src/lease/lease.js";
import { claimCommand } from "../../src/lease/read-or-claim.js";

const LEASE_MS = 60_000;
const FRESH_UNTIL_MS = Date.now() + 3_600_000;
const header = { freshUntilMs: FRESH_UNTIL_MS, deltaMs: 0, token: NO_TOKEN, leaseUntilMs: 0 };
const VALUE = String(seal(header, "J", "value"));

/** A store in memory with `sleeps` instead of time that passes. */
function open() {
  const connection = memory().connect(parseLocation("memory:"), PROCESS);
  const sleeps: (() => void)[] = [];
  const onRenewalError = vi.fn();
  const sleep = (_ms: number, signal?: AbortSignal) =>
    new Promise<void>((resolve) => {
      sleeps.push(resolve);
      signal?.addEventListener("abort", () => resolve());
    });
  const clock = { ...systemClock, sleep };
  const context: LeaseContext = {
    connection,
    clock,
    leaseMs: LEASE_MS,
    graceMs: LEASE_MS,
    onError: onRenewalError,
    waitUntil: () => {},
  };
  return { connection, context, sleeps, onRenewalError };
}

async function read(connection: Connection, key: string): Promise<string | undefined> {
  const [reply = null] = await connection.send([["GET", key]]);
  return reply instanceof Uint8Array ? Buffer.from(reply).toString() : undefined;
}

async function claimMissing(context: LeaseContext, key: string): Promise<Lease> {
  const token = newToken();
  await context.connection.send([claimCommand(key, token, LEASE_MS, context.clock.now())]);
  return new Lease(context, key, token);
}

it("a lease on a missing entry stores the value, and only once", async () => {
  const { connection, context } = open();
  const lease = await claimMissing(context, "a");
  expect(await lease.publish(VALUE, null)).toBe(true);
  expect(await read(connection, "a")).toBe(VALUE);
  expect(await lease.publish("later", 1_000)).toBe(false);
  expect(await read(connection, "a")).toBe(VALUE);
});

it("a lease whose entry was deleted stores nothing", async () => {
  const { connection, context } = open();
  const lease = await claimMissing(context, "a");
  await connection.send([["DEL", "a"]]);
  expect(await lease.publish(VALUE, null)).toBe(false);
  expect(await read(connection, "a")).toBeUndefined();
});

it("one caller gets the lease on a value, and the next one after it was given up", async () => {
  const { connection, context } = open();
  await connection.send([["SET", "a", VALUE]]);
  const first = await Lease.claim(context, "a", FRESH_UNTIL_MS);
  expect(first?.on).toBe("value");
  expect(await Lease.claim(context, "a", FRESH_UNTIL_MS)).toBeUndefined();
  await first?.yield(0);
  expect(await Lease.claim(context, "a", FRESH_UNTIL_MS + 1)).toBeUndefined();
  expect(await Lease.claim(context, "a", FRESH_UNTIL_MS)).toBeDefined();
});

it("the pause after a failed load ends claims, except those that ignore it", async () => {
  const { connection, context } = open();
  await connection.send([["SET", "a", VALUE]]);
  const first = await Lease.claim(context, "a", FRESH_UNTIL_MS);
  expect(await Lease.claim(context, "a", FRESH_UNTIL_MS, true)).toBeUndefined();
  await first?.yield(LEASE_MS);
  expect(await Lease.claim(context, "a", FRESH_UNTIL_MS)).toBeUndefined();
  expect(await Lease.claim(context, "a", FRESH_UNTIL_MS, true)).toBeDefined();
});

it("giving up the lease on a missing entry deletes its placeholder", async () => {
  const { connection, context } = open();
  const lease = await claimMissing(context, "a");
  await lease.yield(LEASE_MS);
  expect(await read(connection, "a")).toBeUndefined();
});

it("an unreadable entry is replaced only if it has not changed", async () => {
  const { connection, context } = open();
  await connection.send([["SET", "a", "unreadable"]]);
  expect(await Lease.seize(context, "a", "other")).toBeUndefined();
  const lease = await Lease.seize(context, "a", "unreadable");
  expect(await lease?.publish(VALUE, null)).toBe(true);
});

it("renewing goes on after an error, which is reported, and ends with the lost signal when the token is gone", async () => {
  const { connection, context, sleeps, onRenewalError } = open();
  await connection.send([["SET", "a", VALUE]]);
  const lease = await Lease.claim(context, "a", FRESH_UNTIL_MS);
  const script = vi.spyOn(connection, "script");
  const failure = new ConnectionError("gone");
  script.mockRejectedValueOnce(failure);
  const renewing = lease?.renew();
  sleeps.shift()?.();
  await vi.waitFor(() => expect(onRenewalError).toHaveBeenCalledWith(failure, "a"));
  expect(lease?.lost.aborted).toBe(false);
  await connection.send([["DEL", "a"]]);
  await vi.waitFor(() => expect(sleeps).toHaveLength(1));
  sleeps.shift()?.();
  await renewing;
  expect(lease?.lost.aborted).toBe(true);
});

it("renewing ends at its limit, and with the lease", async () => {
  const { context, sleeps } = open();
  const lease = await claimMissing(context, "a");
  await lease.renew(0);
  expect(sleeps).toEqual([]);
  const other = new Lease(context, "a", lease.token);
  const renewing = other.renew();
  await other.drop();
  await renewing;
  expect(other.lost.aborted).toBe(false);
});

it("a marker is neither renewed nor given up", async () => {
  const { connection, context, sleeps } = open();
  const token = newToken();
  const marker = String(seal({ ...header, token }, "J", "marker"));
  await connection.send([["SET", "a", marker]]);
  const lease = new Lease(context, "a", token, "marker");
  await lease.renew();
  await lease.yield(LEASE_MS);
  expect(sleeps).toEqual([]);
  expect(await read(connection, "a")).toBe(marker);
});
