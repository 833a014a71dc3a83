import { createHash } from "node:crypto";
import { Redis, Cluster } from "iovalkey";
import { inject } from "vitest";
import { ConnectionError, ReplyError, throwIfError } from "../../../src/core/errors.js";
import { connectionContract } from "../../contract/connection.js";

const STATUS = /^(SET|MSET|RENAME|TYPE|FLUSHALL|FLUSHDB|SCRIPT)$/;
function shape(name: string, args: any[], reply: any): any {
  if (reply instanceof Error) { const [, code = "ERR", detail = ""] = /^(\S+) (.*)$/s.exec(reply.message) ?? []; return new ReplyError(code, detail); }
  if (name === "HGETALL") { const out = []; for (let i = 0; i < reply.length; i += 2) out.push([reply[i], reply[i+1]]); return out; }
  if (Buffer.isBuffer(reply) && (STATUS.test(name) && !args.some(a=>a==="GET") || (name === "PING" && args.length === 0))) return reply.toString();
  return reply;
}
function adapter(make: () => any, cluster: boolean): any {
  let client: any; let closed = false;
  const get = () => { if (closed) throw new ConnectionError("the cache was closed"); return (client ??= make()); };
  const one = (c: any, command: any) => { const name = command[0]; const args = command.slice(1).map((x: any) => x instanceof Uint8Array ? Buffer.from(x) : x); const n = name.toUpperCase();
    if (cluster && n === "FLUSHALL" || cluster && n === "FLUSHDB" || cluster && n==="SCRIPT") return Promise.all(c.nodes("master").map((x: any) => x.callBuffer(name, ...args))).then((r: any) => r[0].toString());
    if (cluster && n === "DBSIZE") return Promise.all(c.nodes("master").map((x: any) => x.callBuffer(name, ...args))).then((r: any) => r.reduce((x: any,y: any)=>x+y));
    if (cluster && (n === "MGET") && new Set(args.map((a: any) => /\{/.test(String(a)))).has(false)) return Promise.all(args.map((a: any)=>c.callBuffer("GET", a)));
    if (cluster && /^(DEL|UNLINK|EXISTS)$/.test(n)) return Promise.all(args.map((a: any)=>c.callBuffer(name, a))).then((r:any)=>{ if(!r.length) return c.callBuffer(name); return r.reduce((x: any,y: any)=>x+y,0)});
    return c.callBuffer(name, ...args); };
  return {
    async send(commands: any[], { atomic = false } = {}) {
      const c = get();
      if (commands.length === 0) return [];
      if (atomic) {
        const m = c.multi();
        for (const [name, ...args] of commands) m.callBuffer(name, ...args);
        try { const rs = await m.exec(); return rs.map(([e, r]: any, i: number) => shape(commands[i][0].toUpperCase(), commands[i].slice(1), e ?? r)); }
        catch (e: any) { throw shape("", [], e); }
      }
      const out = []; const ps = [];
      for (const command of commands) { const p = one(c, command).then((x: any) => x, (e: any) => e).then((r: any) => shape(command[0].toUpperCase(), command.slice(1), r)); if (cluster) await p; out.push(p); }
      return Promise.all(out);
    },
    async script(script: any, keys: any[], args: any[]) {
      const c = get();
      args = args.map((x: any) => x instanceof Uint8Array ? Buffer.from(x) : x); const sha = createHash("sha1").update(script.lua).digest("hex");
      let r = await c.callBuffer("EVALSHA", sha, keys.length, ...keys, ...args).catch((e: any) => e);
      if (r instanceof Error && /NOSCRIPT/.test(r.message)) r = await c.callBuffer("EVAL", script.lua, keys.length, ...keys, ...args).catch((e: any) => e);
      r = throwIfError(shape("", [], r));
      if (script.name === "shapes") r[0] = r[0].toString();
      return r;
    },
    async *scan({ match, count }: any) {
      const c = get();
      for (const node of cluster ? c.nodes("master") : [c]) {
        let cursor = "0";
        do { const [n, ks] = await node.call("SCAN", cursor, "MATCH", match, "COUNT", count); cursor = n; yield ks; } while (cursor !== "0");
      }
    },
    async close() { closed = true; await client?.quit(); client = undefined; },
    async [Symbol.asyncDispose]() { await this.close(); },
  };
}
connectionContract("iovalkey scratch", async () => {
  const make = () => new Redis(inject("valkeyUrl").replace("valkey:", "redis:"));
  const connection = adapter(make, false);
  return { connection, other: async () => adapter(make, false), stop: () => connection.close() };
});
connectionContract("iovalkey cluster scratch", async () => {
  const make = () => new Cluster(inject("clusterUrl").split(",").map((u) => ({ host: new URL(u.replace("valkey:","http:")).hostname, port: Number(new URL(u.replace("valkey:","http:")).port) })));
  const connection = adapter(make, true);
  return { connection, other: async () => adapter(make, true), stop: () => connection.close(), cluster: true };
});
