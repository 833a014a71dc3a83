import type { Connection, ConnectionFactory, Script } from "../../../src/core/connection.js";

/*
 * A server has a clock of its own, and nobody can fake that. But how far a test's `Date.now()` is ahead of it, the lead, is
 * known, and can be made up for: before each flight all expiries are moved by as much as the lead has changed, and scripts
 * are told the time, and set expiries, by the test's clock.
 */

/** KEYS: where the lead is kept. ARGV: the test's time, which keys have expiries to move. */
const FOLLOW = `local time = redis.call('TIME')
local lead = ARGV[1] - (time[1] * 1000 + math.floor(time[2] / 1000))
local moved = lead - (redis.call('GET', KEYS[1]) or lead)
redis.call('SET', KEYS[1], string.format('%.0f', lead), 'PX', 600000)
if moved == 0 then return end
for _, key in ipairs(redis.call('KEYS', ARGV[2])) do
  local left = redis.call('PTTL', key)
  if left > 0 then redis.call('PEXPIRE', key, string.format('%.0f', left - moved)) end
end`;

/** What a script calls the server by. */
const told = (leadKey: string): string => `local server = redis
local lead = server.call('GET', '${leadKey}') or 0
local function by(call)
  return function(name, ...)
    if name == 'PEXPIREAT' then
      local key, at = ...
      return call(name, key, string.format('%.0f', at - lead))
    end
    local reply = call(name, ...)
    if name ~= 'TIME' then return reply end
    local ms = reply[1] * 1000 + math.floor(reply[2] / 1000) + lead
    return { math.floor(ms / 1000), ms % 1000 * 1000 }
  end
end
local redis = { call = by(server.call), pcall = by(server.pcall) }
`;

/** A factory whose connections show the server at the test's time. @param underway has each call that is waited for */
export function underFakeTime(
  factory: ConnectionFactory,
  keyPrefix: string,
  underway: Set<Promise<unknown>>,
): ConnectionFactory {
  const leadKey = `lead:${keyPrefix}`;
  const scripts = new Map<Script, Script>();
  const retold = (script: Script): Script => {
    const known = scripts.get(script) ?? { ...script, lua: told(leadKey) + script.lua };
    scripts.set(script, known);
    return known;
  };
  const counted = <T>(work: Promise<T>): Promise<T> => {
    underway.add(work);
    const done = () => void underway.delete(work);
    work.then(done, done);
    return work;
  };

  const watch = (inner: Connection): Connection => {
    const follow = () =>
      inner.send([["EVAL", FOLLOW, "1", leadKey, String(Date.now()), `${keyPrefix}:*`]], { idempotent: true });
    return {
      send: (commands, options) => counted(follow().then(() => inner.send(commands, options))),
      script: (script, keys, args, options) =>
        counted(follow().then(() => inner.script(retold(script), keys, args, options))),
      scan: (options) => inner.scan(options),
      status: () => inner.status(),
      close: () => inner.close(),
      [Symbol.asyncDispose]: () => inner.close(),
    };
  };
  return {
    shares: factory.shares,
    connect: (location, invocation) => watch(factory.connect(location, invocation)),
  };
}
