import { afterAll, beforeAll, expect, inject, it } from "vitest";
import { gzip } from "../../src/compressors/deflate.js";
import { glideCluster } from "../../src/connection/glide/factory.js";
import { type Cache, createCache, herd } from "../../src/index.js";
import { msgpack } from "../../src/serializers/msgpack.js";
import { certificate, certificateFile, tlsArguments } from "../support/certificates.js";
import { cli } from "../support/cli.js";
import { freePort } from "../support/ports.js";
import { build } from "../support/project.js";
import { startRestServer } from "../support/rest-server.js";
import { startSentinels } from "../support/sentinels.js";
import { startValkey } from "../support/servers.js";

beforeAll(build, 120_000);

const PREFIX = "cli-connections";

it("a cluster is walked, counted, purged and watched as a whole", async () => {
  const location = inject("clusterUrl");
  await using cache = createCache({ location, keyPrefix: PREFIX, connectionFactory: glideCluster() });
  const keys = Array.from({ length: 60 }, (_, i) => `k:${i}`);
  await cache.setMany(keys.map((key) => [key, 1] as const));
  const place = ["--url", location, "--prefix", PREFIX, "--cluster"];
  const { code, stdout } = await cli(["keys", "k:*", "--json", ...place]);
  const found = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line).key);
  expect({ code, found: found.sort() }).toEqual({ code: 0, found: keys.sort() });
  const sample = JSON.parse((await cli(["top", "--once", "--json", ...place])).stdout);
  expect(sample.server.keys).toBeGreaterThanOrEqual(60);
  expect(await cli(["get", "k:1", "--raw", ...place])).toMatchObject({ code: 0, stdout: "1\n" });
  expect(await cli(["purge", "--pattern", "k:*", "--yes", ...place])).toMatchObject({ code: 0 });
  expect(await cache.keys("k:*")).toEqual([]);
}, 30_000);

it("sentinels are asked for the primary", async () => {
  await using sentinels = await startSentinels();
  const places = sentinels.sentinels.flatMap(({ host, port }) => ["--sentinel", `${host}:${port}`]);
  await using cache = createCache({ location: sentinels.primary.url });
  await cache.set("a", "by sentinel");
  const end = await cli(["get", "a", "--raw", "--url", `valkey://${sentinels.service}`, ...places]);
  expect(end).toEqual({ code: 0, stdout: "by sentinel", stderr: "" });
}, 30_000);

it("TLS and the client's certificate are those of the options", async () => {
  const port = await freePort();
  await using _server = await startValkey({ args: tlsArguments(port, "yes") });
  const url = `valkeys://localhost:${port}`;
  const tls = { ca: certificate("ca.pem"), cert: certificate("client.pem"), key: certificate("client.key") };
  await using cache: Cache = createCache({ location: url, tls });
  await cache.set("a", "over TLS");
  const file = (flag: string, name: Parameters<typeof certificateFile>[0]) => [flag, certificateFile(name)];
  const given = [
    ...file("--tls-ca", "ca.pem"),
    ...file("--tls-cert", "client.pem"),
    ...file("--tls-key", "client.key"),
  ];
  expect(await cli(["get", "a", "--raw", "--url", url, ...given])).toEqual({ code: 0, stdout: "over TLS", stderr: "" });
  const without = await cli(["get", "a", "--raw", "--url", url]);
  expect(without).toMatchObject({ code: 1, stdout: "" });
}, 30_000);

it("an endpoint of rest() takes its token from VALKEY_TOKEN", async () => {
  await using server = await startRestServer({ port: Number(new URL(inject("valkeyUrl")).port) });
  await using cache = createCache({ location: inject("valkeyUrl"), keyPrefix: PREFIX });
  await cache.set("rest", "over fetch");
  const env = { VALKEY_URL: server.url, VALKEY_TOKEN: server.token };
  const end = await cli(["get", "rest", "--raw", "--prefix", PREFIX], { env });
  expect(end).toEqual({ code: 0, stdout: "over fetch", stderr: "" });
  const missing = await cli(["get", "rest"], { env: { VALKEY_URL: server.url } });
  expect(missing).toMatchObject({ code: 2, stderr: expect.stringContaining("token") });
});

it("codec, version and client of the cache are those of the options", async () => {
  const location = inject("valkeyUrl");
  const options = {
    location,
    keyPrefix: PREFIX,
    version: 3,
    client: herd(),
    serializer: msgpack(),
    compressor: gzip(),
  };
  await using cache = createCache(options);
  const value = { text: "x".repeat(2_000) };
  await cache.set("codec", value);
  const place = ["--url", location, "--prefix", PREFIX, "--key-version", "3", "--client", "herd"];
  const own = await cli(["get", "codec", "--json", "--serializer", "msgpack", "--compressor", "gzip", ...place]);
  expect(JSON.parse(own.stdout).value).toMatchObject({ json: value, isOwnCodec: true });
  // Any codec is decoded, and the report says that it is another one.
  const other = await cli(["get", "codec", "--json", ...place]);
  expect(JSON.parse(other.stdout).value).toMatchObject({ json: value, isOwnCodec: false });
});

afterAll(async () => {
  await using cache = createCache({ location: inject("valkeyUrl"), keyPrefix: PREFIX });
  await cache.clear();
});
