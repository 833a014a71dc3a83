import { readEnvelope } from "../../src/codec/envelope.js";
import { claims, type Invariants } from "./invariants.js";
import { GRACE, LEASE, NOW_MS, PAUSE, type Protocol, TICK_MS, TTL, WAIT } from "./protocol.js";
import { isPlaceholder, type Server, UNREADABLE, value } from "./server.js";
import {
  type Caller,
  EMPTY,
  freeToken,
  type Kept,
  loadsUnderWay,
  type Message,
  tickKept,
  tickMessage,
  type World,
} from "./world.js";

/** One step of a run: what happens, and what the world is like after it. */
export type Emit = (name: string, world: World) => void;

type Slot = "message" | "renewal";

/** The steps that the model knows: of callers, of the network, of the server, and of time. */
export class Steps {
  readonly #protocol: Protocol;
  readonly #server: Server;
  readonly #invariants: Invariants;

  constructor(protocol: Protocol, server: Server, invariants: Invariants) {
    this.#invariants = invariants;
    this.#protocol = protocol;
    this.#server = server;
  }

  /** Emits every step that is possible in a world. */
  from(world: World, emit: Emit): void {
    for (const [number, caller] of world.callers.entries()) {
      const one = (name: string, next: World) => emit(`${number}: ${name}`, next);
      for (const index of caller.strays.keys()) this.#runStray(world, number, index, one);
      if (caller.state === "crashed") continue;
      if (caller.isFrozen) this.#frozen(world, number, caller, one);
      else this.#act(world, number, caller, one);
    }
    this.#environment(world, emit);
    const letsTimePass = (caller: Caller) => this.#letsTimePass(caller);
    if (world.callers.every(letsTimePass)) emit("a tick passes", tick(world));
  }

  #act(world: World, number: number, caller: Caller, emit: Emit): void {
    const { message, renewal, state } = caller;
    if (message?.reply) emit("hears", this.#hear(world, number, "message", message, message.reply.value));
    else if (message) this.#request(world, number, "message", emit);
    if (renewal?.reply) emit("hears", this.#hear(world, number, "renewal", renewal, renewal.reply.value));
    else if (renewal) this.#request(world, number, "renewal", emit);
    if (state === "idle") this.#request(this.#readOrClaim(world, number), number, "message", emit);
    if (state === "waiting") this.#wait(world, number, caller, emit);
    if (state === "loading") this.#load(world, number, caller, emit);
    if (world.faults > 0 && state !== "idle" && state !== "answered") this.#stop(world, number, "", emit);
  }

  #frozen(world: World, number: number, { message, renewal }: Caller, emit: Emit): void {
    emit("thaws", change(world, number, { isFrozen: false }));
    if (message && !message.reply) this.#run(world, number, "message", emit);
    if (renewal && !renewal.reply) this.#run(world, number, "renewal", emit);
  }

  /** A request that the server runs, with the reply heard at once, or that a fault befalls. */
  #request(world: World, number: number, slot: Slot, emit: Emit): void {
    this.#run(world, number, slot, emit);
    this.#network(world, number, slot, emit);
  }

  /** The caller freezes or crashes. The server may still run what it has sent. */
  #stop(world: World, number: number, when: string, emit: Emit): void {
    const { message, renewal, strays } = at(world, number);
    const faulty = { ...world, faults: world.faults - 1 };
    emit(`freezes${when}`, change(faulty, number, { isFrozen: true, isDisturbed: true }));
    const left = [...strays, message, renewal].filter(isDefined).filter((one) => !one.reply);
    emit(`crashes${when}`, crashed(faulty, number, left));
  }

  #readOrClaim(world: World, number: number, patch: Partial<Caller> = {}): World {
    return send(world, number, "readOrClaim", 0, {
      ...patch,
      state: "lookup",
      knowsLoss: false,
      isDisturbed: false,
    });
  }

  #wait(world: World, number: number, { waited, hasLooked }: Caller, emit: Emit): void {
    if (waited >= WAIT && this.#protocol.limitsWait) emit("waits no longer", answered(world, number));
    else if (!hasLooked) {
      this.#request(this.#readOrClaim(world, number, { hasLooked: true }), number, "message", emit);
    }
  }

  #load(world: World, number: number, { knowsLoss, restarted }: Caller, emit: Emit): void {
    const end = (operation: Message["operation"], state: Caller["state"], patch: Partial<Caller> = {}) => {
      const next = send(world, number, operation, 0, { ...patch, state, renewal: undefined });
      this.#request(next, number, "message", emit);
    };
    end("publish", "publishing");
    end("drop", "publishing");
    end("yield", "yielding");
    if (knowsLoss && !restarted) end("yield", "yielding", { restarted: true });
  }

  /** What a caller does with a reply. */
  #hear(world: World, number: number, slot: Slot, message: Message, reply: string | number | null): World {
    const heard = change(world, number, { [slot]: undefined });
    if (slot === "renewal") return change(heard, number, { knowsLoss: reply !== 1 });
    const { state, restarted, knowsLoss } = at(world, number);
    if (message.operation === "readOrClaim") return this.#read(heard, number, reply);
    if (message.operation === "claim" || message.operation === "seize")
      return reply === 1 ? loads(heard, number) : lost(heard, number);
    if (state === "yielding" && restarted && knowsLoss) return this.#readOrClaim(heard, number);
    return answered(heard, number);
  }

  /** What a caller makes of the reply to its read. */
  #read(world: World, number: number, reply: string | number | null): World {
    const { token, skew } = at(world, number);
    if (typeof reply !== "string") return loads(world, number);
    if (reply === UNREADABLE) return send(world, number, "seize", 0, { state: "seizing" });
    const envelope = readEnvelope(reply, "k");
    const nowMs = NOW_MS + skew * TICK_MS;
    if (envelope.payload === undefined) {
      const isOwn = this.#protocol.recognisesOwnToken && Number(envelope.token) === token;
      return isOwn ? loads(world, number) : waits(world, number);
    }
    if (envelope.freshUntilMs > nowMs) return answered(world, number);
    const isStale = nowMs - envelope.freshUntilMs <= GRACE * TICK_MS;
    if (envelope.leaseUntilMs > nowMs) return isStale ? answered(world, number) : waits(world, number);
    // The herd answers a stale value at once and refreshes it afterwards. Its caller no longer waits.
    const patch = isStale ? { waited: -2, sinceWait: -1 } : {};
    return send(world, number, "claim", envelope.freshUntilMs, { state: "claiming", ...patch });
  }

  /** The server runs a request. A caller that is not frozen hears the reply at once, unless that is lost or late. */
  #run(world: World, number: number, slot: Slot, emit: Emit): void {
    const { [slot]: message, isFrozen } = at(world, number);
    if (!message) return;
    const [next, reply] = this.#execute(world, number, message);
    const { operation } = message;
    const unheard = change(next, number, { [slot]: { ...message, reply } });
    if (isFrozen) {
      emit(`the server runs ${operation}`, unheard);
      return;
    }
    emit(operation, this.#hear(next, number, slot, message, reply.value));
    if (world.faults === 0) return;
    this.#network(unheard, number, slot, emit);
    this.#stop(unheard, number, ` before the reply to ${operation}`, emit);
  }

  #runStray(world: World, number: number, index: number, emit: Emit): void {
    const { strays } = at(world, number);
    const message = strays[index];
    if (!message) return;
    const [next] = this.#execute(world, number, message);
    const left = strays.filter((_, other) => other !== index);
    emit(`the server runs a late ${message.operation}`, change(next, number, { strays: left }));
  }

  #execute(world: World, number: number, message: Message): [World, NonNullable<Message["reply"]>] {
    const { operation, token, freshUntilMs, age } = message;
    const sentMs = NOW_MS + (at(world, number).skew - age) * TICK_MS;
    const usesClock = operation === "publish" || operation === "readOrClaim" || operation === "seize";
    const request = { operation, token, freshUntilMs, sentMs: usesClock ? sentMs : 0 };
    const outcome = this.#server.execute(world.kept.entry, request);
    this.#invariants.afterCommand(world, number, message, outcome);
    const { reply, entry } = outcome;
    let kept: Kept = { ...world.kept, entry };
    if (claims(message, outcome) || (operation === "renew" && reply === 1)) {
      kept = { ...kept, lease: { token, left: LEASE }, pause: 0 };
    }
    if ((operation === "yield" || operation === "drop" || operation === "publish") && reply === 1) {
      kept = { ...kept, lease: undefined, pause: operation === "yield" && entry ? PAUSE : 0 };
    }
    if (operation === "publish" && reply === 1) {
      const own = 1 << token;
      const others = loadsUnderWay(world.callers) & ~own;
      kept = { ...kept, superseded: kept.superseded | others, stored: kept.stored | own };
    }
    return [{ ...world, kept }, { value: reply }];
  }

  /** What the network does to a request or its reply. Each of it is a fault. */
  #network(world: World, number: number, slot: Slot, emit: Emit): void {
    const { [slot]: message, strays } = at(world, number);
    if (world.faults === 0 || !message) return;
    const faulty = change({ ...world, faults: world.faults - 1 }, number, { [slot]: undefined, isDisturbed: true });
    const { operation, isRetry, reply } = message;
    const what = reply ? `the reply to ${operation}` : operation;
    const retry = change(faulty, number, { [slot]: { ...message, isRetry: true, reply: undefined } });
    const isRetryable = operation !== "claim" && operation !== "seize" && !isRetry;
    const isRetried = this.#protocol.retries && isRetryable;
    emit(`${what} is lost`, isRetried ? retry : this.#fail(faulty, number, slot, !isRetryable));
    const late = (next: World) => (reply ? next : change(next, number, { strays: [...strays, message] }));
    const isRepeated = this.#protocol.retriesAfterDeadline && isRetryable;
    emit(`${what} is late`, isRepeated ? late(retry) : this.#fail(late(faulty), number, slot, true));
  }

  /** A command has failed for good. */
  #fail(world: World, number: number, slot: Slot, isUncertain: boolean): World {
    if (slot === "renewal") return world;
    const { state, token } = at(world, number);
    const uncertain = isUncertain ? { ...world, uncertain: world.uncertain | (1 << token) } : world;
    if (state === "publishing") return send(uncertain, number, "yield", 0, { state: "yielding" });
    return answered(uncertain, number);
  }

  /** What others do: writes by other clients, evictions, replication and failovers. */
  #environment(world: World, emit: Emit): void {
    const { kept, replica, writes, faults, failovers } = world;
    const { entry } = kept;
    if (writes > 0) {
      const next = { ...world, writes: writes - 1 };
      emit("the entry is deleted", this.#write(next, undefined));
      const text = value(NOW_MS + TTL * TICK_MS);
      emit("the entry is set", this.#write(next, { text, expiresAtMs: NOW_MS + (TTL + GRACE) * TICK_MS }));
    }
    if (faults > 0 && entry) {
      const evicted = { ...world, faults: faults - 1, kept: { ...kept, entry: undefined, lease: undefined, pause: 0 } };
      emit("the entry is evicted", disturbed(evicted));
    }
    if (failovers > 0) {
      emit("the replica catches up", { ...world, replica: kept });
      const failedOver = {
        ...world,
        kept: replica ?? EMPTY,
        replica: undefined,
        uncertain: -1,
        failovers: failovers - 1,
      };
      emit("the replica takes over", disturbed(failedOver));
    }
  }

  /** A caller acts in time: it sends what is due, and looks again in each tick that it waits. */
  #letsTimePass({ state, isFrozen, message, renewal, hasLooked, waited }: Caller): boolean {
    if (isFrozen || state === "crashed") return true;
    if (renewal || message) return false;
    return state !== "waiting" || (hasLooked && (waited < WAIT || !this.#protocol.limitsWait));
  }

  #write(world: World, entry: Kept["entry"]): World {
    const { kept, callers } = world;
    const deleted = kept.deleted | loadsUnderWay(callers);
    if (!this.#protocol.deleteEndsLease && kept.entry && isPlaceholder(kept.entry)) {
      return disturbed({ ...world, kept: { ...kept, deleted } });
    }
    return disturbed({ ...world, kept: { ...kept, entry, lease: undefined, pause: 0, deleted } });
  }
}

function at(world: World, number: number): Caller {
  const caller = world.callers[number];
  if (!caller) throw new RangeError(`there is no caller ${number}`);
  return caller;
}

function change(world: World, number: number, patch: Partial<Caller>): World {
  const callers = world.callers.map((caller, index) => (index === number ? { ...caller, ...patch } : caller));
  return { ...world, callers };
}

function send(
  world: World,
  number: number,
  operation: Message["operation"],
  freshUntilMs: number,
  patch: Partial<Caller>,
): World {
  const needsToken = operation === "readOrClaim" || operation === "claim" || operation === "seize";
  const token = needsToken ? freeToken(world, number) : at(world, number).token;
  const message: Message = { operation, token, freshUntilMs, isRetry: false, age: 0, reply: undefined };
  const next = change(world, number, { ...patch, token, message });
  if (!needsToken) return next;
  const forget = (kept: Kept): Kept => {
    const rest = ~(1 << token);
    return { ...kept, deleted: kept.deleted & rest, superseded: kept.superseded & rest, stored: kept.stored & rest };
  };
  const uncertain = next.uncertain & ~(1 << token);
  return { ...next, uncertain, kept: forget(next.kept), replica: next.replica && forget(next.replica) };
}

/** The end of a call, with or without a value from the store. */
function answered(world: World, number: number): World {
  const { skew, token, strays } = at(world, number);
  const rest = { isFrozen: false, message: undefined, renewal: undefined, knowsLoss: false, restarted: false };
  const waiting = { waited: -1, sinceWait: -1, hasLooked: false, isDisturbed: false };
  const caller: Caller = { state: "answered", skew, token, strays, ...rest, ...waiting };
  return { ...world, callers: world.callers.map((one, index) => (index === number ? caller : one)) };
}

function loads(world: World, number: number): World {
  return change(world, number, { state: "loading", waited: -1, sinceWait: -1, hasLooked: false });
}

function crashed(world: World, number: number, strays: readonly Message[]): World {
  return change(answered(world, number), number, { state: "crashed", strays });
}

function waits(world: World, number: number): World {
  const { waited, sinceWait } = at(world, number);
  const begun = waited < 0 ? { waited: 0, sinceWait: 0, hasLooked: true } : { waited, sinceWait };
  return change(world, number, { state: "waiting", ...begun });
}

/** Another caller has won the claim: one that refreshes a stale value is done, one that has none waits. */
function lost(world: World, number: number): World {
  return at(world, number).waited === -2 ? answered(world, number) : waits(world, number);
}

function disturbed(world: World): World {
  const callers = world.callers.map((caller) => (caller.state === "idle" ? caller : { ...caller, isDisturbed: true }));
  return { ...world, callers };
}

function tick(world: World): World {
  const callers = world.callers.map(tickCaller);
  return { ...world, kept: tickKept(world.kept), replica: world.replica && tickKept(world.replica), callers };
}

function tickCaller(caller: Caller): Caller {
  const { state, isFrozen, message, renewal, strays, waited, sinceWait, token, knowsLoss } = caller;
  const older = { ...caller, strays: strays.map(tickMessage).filter(isDefined) };
  if (state === "crashed" || state === "answered" || state === "idle") return older;
  if (isFrozen) return { ...older, message: tickMessage(message), renewal: tickMessage(renewal) };
  const isDue = state === "loading" && !renewal && !knowsLoss;
  const renew: Message = { operation: "renew", token, freshUntilMs: 0, isRetry: false, age: 0, reply: undefined };
  return {
    ...older,
    renewal: isDue ? renew : renewal,
    waited: waited < 0 ? waited : Math.min(WAIT, waited + 1),
    sinceWait: sinceWait < 0 ? sinceWait : sinceWait + 1,
    hasLooked: false,
  };
}

function isDefined<T>(value: T | undefined): value is T {
  return value !== undefined;
}
