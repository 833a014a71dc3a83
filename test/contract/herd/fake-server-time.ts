import type { Argument, Command, Connection, ConnectionFactory, Script } from "../../../src/core/connection.js";

/*
 * A server has a clock of its own, and nobody can fake that. But how far a test's `Date.now()` is ahead of it, the lead, is
 * known, and can be made up for: when a test's time has passed, all expiries are moved by as much as the lead has changed.
 * Scripts see the test's time, so what they write doesn't depend on how busy the machine is. Both happen in the round trip
 * of the call itself, as time would go on between two.
 */

/** Brings the server to the test's time. The last arguments: that time, where it is kept, which keys have expiries to move. */
const FOLLOW = `local pattern, time_key = table.remove(ARGV), table.remove(ARGV)
local test_ms = tonumber(table.remove(ARGV))
if redis.call('HGET', time_key, 'test') ~= string.format('%.0f', test_ms) then
  local time = redis.call('TIME')
  local lead = test_ms - (time[1] * 1000 + math.floor(time[2] / 1000))
  local moved = lead - (redis.call('HGET', time_key, 'lead') or lead)
  redis.call('HSET', time_key, 'test', string.format('%.0f', test_ms), 'lead', string.format('%.0f', lead))
  redis.call('PEXPIRE', time_key, 600000)
  for _, key in ipairs(moved == 0 and {} or redis.call('KEYS', pattern)) do
    local left = redis.call('PTTL', key)
    if left > 0 then redis.call('PEXPIRE', key, string.format('%.0f', left - moved)) end
  end
end
`;

/** What a script calls the server by. */
const TOLD = `local server = redis
local function by(call)
  return function(name, ...)
    if name == 'TIME' then return { math.floor(test_ms / 1000), test_ms % 1000 * 1000 } end
    if name ~= 'PEXPIREAT' then return call(name, ...) end
    local key, at = ...
    return call('PEXPIRE', key, string.format('%.0f', at - test_ms))
  end
end
local redis = { call = by(server.call), pcall = by(server.pcall) }
`;

const scripts = new Map<Script, Script>();

function retold(script: Script): Script {
  const known = scripts.get(script) ?? { ...script, lua: FOLLOW + TOLD + script.lua };
  scripts.set(script, known);
  return known;
}

/** A factory whose connections show the server at the test's time. @param underway has each call that is waited for */
export function underFakeTime(
  factory: ConnectionFactory,
  keyPrefix: string,
  underway: Set<Promise<unknown>>,
): ConnectionFactory {
  const counted = <T>(work: Promise<T>): Promise<T> => {
    underway.add(work);
    const done = () => void underway.delete(work);
    work.then(done, done);
    return work;
  };
  const now = (): Argument[] => [String(Date.now()), `time:${keyPrefix}`, `${keyPrefix}:*`];
  const follow = (): Command => ["EVAL", FOLLOW, "0", ...now()];

  const watch = (inner: Connection): Connection => ({
    send: (commands, options) =>
      counted(inner.send([follow(), ...commands], options).then(([, ...replies]) => replies)),
    script: (script, keys, args, options) => counted(inner.script(retold(script), keys, [...args, ...now()], options)),
    scan: (options) => inner.scan(options),
    status: () => inner.status(),
    close: () => inner.close(),
    [Symbol.asyncDispose]: () => inner.close(),
  });
  return {
    shares: factory.shares,
    connect: (location, invocation) => watch(factory.connect(location, invocation)),
  };
}
