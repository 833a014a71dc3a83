import { connect } from "node:net";
import { createServer } from "node:tls";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  ConfigurationError,
  createCache,
  type ElastiCacheIamOptions,
  elasticacheIam,
  glide,
  glideCluster,
  iovalkey,
  type SigningRequest,
} from "../../src/index.js";
import { certificate } from "../support/certificates.js";
import { command } from "../support/command.js";
import { HOST, listenAnywhere } from "../support/ports.js";
import { runScript } from "../support/script.js";
import { startValkey, type ValkeyServer } from "../support/servers.js";

const IAM: ElastiCacheIamOptions = { clusterName: "my-cache", region: "eu-central-1", user: "app" };
const tls = { ca: certificate("ca.pem") };
/** valkey-glide signs with these, without a request to AWS. */
const KEYS = ["AWS_ACCESS_KEY_ID=AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI"];
const LOCATION = "valkeys://localhost";

describe("elasticacheIam()", () => {
  let server: ValkeyServer;
  let location: string;
  /** The tokens that clients logged in with. */
  const tokens: string[] = [];
  beforeAll(async () => {
    server = await startValkey();
    await command(server.port, ["ACL", "SETUSER", "app", "on", "nopass", "~*", "+@all"]);
    await command(server.port, ["ACL", "SETUSER", "default", "off"]);
    const certificates = { cert: certificate("server.pem"), key: certificate("server.key") };
    const recorder = createServer(certificates, (client) => {
      const upstream = connect(server.port, HOST);
      client.on("data", (bytes) => {
        const [, token] = /AUTH\r\n\$3\r\napp\r\n\$\d+\r\n([^\r]+)/.exec(String(bytes)) ?? [];
        if (token) tokens.push(token);
      });
      client.on("error", () => upstream.destroy()).pipe(upstream);
      upstream.on("error", () => client.destroy()).pipe(client);
    });
    location = `valkeys://localhost:${await listenAnywhere(recorder)}`;
    return () => void recorder.close();
  });
  afterAll(() => server?.stop());

  /** Runs a process that has these variables, from which valkey-glide takes its keys. */
  const run = (source: string, variables: readonly string[] = KEYS) =>
    runScript(
      `const tls = { ca: ${JSON.stringify(tls.ca)} };
      const cacheOf = (iam) => lib.createCache({ location: "${location}", tls, credentials: lib.elasticacheIam(iam) });
      ${source}`,
      25_000,
      ["/usr/bin/env", ...variables, "AWS_EC2_METADATA_DISABLED=true"],
    );

  it.each(["elasticache", "memorydb"] as const)("lets valkey-glide sign tokens for %s", async (service) => {
    tokens.length = 0;
    const { stdout, stderr } = await run(`
      const cache = cacheOf(${JSON.stringify({ ...IAM, clusterName: "My-Cache", service })});
      await cache.set("a", 1);
      console.log(await cache.get("a"), (await cache.health()).transport);
      await cache.close();
    `);
    expect({ stdout, stderr }).toEqual({ stdout: "1 valkey-glide\n", stderr: "" });
    const token = new URL(`http://${tokens[0]}`);
    expect(token.host).toBe("my-cache");
    expect(Object.fromEntries(token.searchParams)).toMatchObject({
      Action: "connect",
      User: "app",
      "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
      "X-Amz-Credential": expect.stringMatching(new RegExp(`^AKIDEXAMPLE/\\d+/eu-central-1/${service}/aws4_request$`)),
      "X-Amz-Expires": "900",
    });
  });

  it.each([glide, iovalkey])("logs in with what the application's signer returns", async (factory) => {
    tokens.length = 0;
    const requests: SigningRequest[] = [];
    const sign = async (request: SigningRequest) => {
      requests.push(request);
      const url = new URL(request.url);
      url.searchParams.set("X-Amz-Signature", "abc");
      return requests.length % 2 === 1 ? url : String(url).replace("http://", "");
    };
    const connectionFactory = factory({ tls, credentials: elasticacheIam({ ...IAM, sign }) });
    for (const _time of [1, 2]) {
      await using cache = createCache({ location, connectionFactory });
      await cache.set("a", 1);
    }
    const token = "my-cache/?Action=connect&User=app&X-Amz-Signature=abc";
    expect(new Set(tokens)).toEqual(new Set([token]));
    const url = expect.objectContaining({ href: "http://my-cache/?Action=connect&User=app" });
    expect(requests).toEqual(
      [1, 2].map(() => ({ url, region: "eu-central-1", service: "elasticache", expiresIn: 900 })),
    );
  });

  it("shares a connection between equal settings", async () => {
    const { stdout } = await run(`
      const [one, other] = [1, 2].map(() => cacheOf(${JSON.stringify(IAM)}));
      await one.set("a", 1);
      console.log((await one.health()).state, (await other.health()).state);
      await Promise.all([one.close(), other.close()]);
    `);
    expect(stdout).toBe("closed closed\n");
  });

  it("names the AWS credentials if valkey-glide can't sign", async () => {
    const unset = KEYS.flatMap((key) => ["-u", key.split("=")[0] ?? ""]);
    const { stdout } = await run(
      `const cache = cacheOf(${JSON.stringify(IAM)});
      console.log(await cache.get("a").catch(String));
      await cache.close();`,
      unset,
    );
    expect(stdout).toMatch(/^ConnectionError: .*could not be logged in to: .*; check the AWS credentials/);
  });
});

describe("elasticacheIam() is refused before any I/O", () => {
  const credentials = elasticacheIam(IAM);
  const sign = async ({ url }: SigningRequest) => url;

  it("without a signer over iovalkey(), which has none", () => {
    const open = () => createCache({ location: LOCATION, connectionFactory: iovalkey({ credentials }) });
    expect(open).toThrow(ConfigurationError);
    expect(open).toThrow(/option "sign" is missing, and iovalkey\(\) can't sign by itself/);
    createCache({ location: LOCATION, connectionFactory: iovalkey({ credentials: elasticacheIam({ ...IAM, sign }) }) });
  });

  it("at a location without TLS", () => {
    for (const one of [credentials, elasticacheIam({ ...IAM, sign })]) {
      for (const factory of [glide, glideCluster, iovalkey]) {
        const open = () => createCache({ location: "valkey://h", connectionFactory: factory({ credentials: one }) });
        expect(open).toThrow(ConfigurationError);
        if (one !== credentials || factory !== iovalkey)
          expect(open).toThrow(/needs TLS.*give a valkeys:\/\/ or rediss:\/\//);
      }
      expect(() => createCache({ location: "valkey://h", credentials: one })).toThrow(/needs TLS/);
      expect(() => createCache({ location: "valkeys://:secret@h", credentials: one })).toThrow(/beside/);
    }
  });

  it.each(["clusterName", "region", "user"] as const)("without %s", (name) => {
    const { [name]: _, ...rest } = IAM;
    const options: object = rest;
    expect(() => elasticacheIam(options as ElastiCacheIamOptions)).toThrow(`option "${name}" is missing`);
    expect(() => elasticacheIam({ ...IAM, [name]: "" })).toThrow(ConfigurationError);
  });

  it("with options that are wrong or unknown", () => {
    const wrong: [object, RegExp][] = [
      [{ service: "ec2" }, /option "service"/],
      [{ sign: "text" }, /option "sign"/],
      [{ cluster: "a" }, /unknown option "cluster"/],
    ];
    for (const [options, message] of wrong) expect(() => elasticacheIam({ ...IAM, ...options })).toThrow(message);
  });
});
