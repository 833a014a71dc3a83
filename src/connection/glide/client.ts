import type { Connection } from "../../core/connection.js";
import { ReplyError } from "../../core/errors.js";
import type { Address } from "../../core/location.js";
import { introduction, LIBRARY, omit } from "../client-info.js";
import { type Login, withLogin } from "../credentials.js";
import type { IamSettings } from "../elasticache-iam.js";
import { withAuthorities } from "../node-socket.js";
import { renewInTime } from "../renewal.js";
import type { DialScope } from "../resilience/dialer.js";
import { fill, GlideConnection } from "./connection.js";
import { fromGlide } from "./conversion.js";
import { type DialSettings, dialGlide, type Opener } from "./dial.js";
import { type Glide, type GlideModule, loadGlide } from "./module.js";

/** Log level of GLIDE's native side. */
export type GlideLogLevel = "off" | "error" | "warn" | "info" | "debug";

/** The settings of a GLIDE client. They are plain data, so that equal settings can be recognised. */
export interface GlideSettings extends DialSettings {
  readonly protocol: 2 | 3;
  readonly commandTimeoutMs: number;
  readonly clientAz: string | undefined;
  readonly logLevel: GlideLogLevel;
}

/** GLIDE rejects requests beyond this number instead of queueing them. Deadlines bound the number already. */
const MAX_IN_FLIGHT = 1_000_000;

/**
 * How GLIDE reconnects while no call is made: at once, after 0.1 s, and then every 0.58 s. That is at most 60 times in
 * 30 s, and soon enough for a call that waits for it. More retries would delay the closing of a client that can't connect.
 */
const BACKOFF = { numberOfRetries: 2, factor: 16, exponentBase: 6, jitterPercent: 10 };
/** The same for a cluster, where GLIDE opens two connections at a time to a lost node. */
const CLUSTER_BACKOFF = { numberOfRetries: 1, factor: 600, exponentBase: 2 };
/** Operating systems refuse TCP connections to this address, so nothing leaves the machine. */
const NOWHERE: [string, number] = ["255.255.255.255", 1];

/** Opens a client. @throws {ConnectionError} @throws {GlideMissingError} */
export async function openGlide(settings: GlideSettings, scope: DialScope): Promise<Connection> {
  const { retire } = scope;
  const module = await loadGlide(settings.logLevel);
  // GLIDE falls back to the address that it has where a resolver throws.
  for (const address of settings.addresses) settings.addressMap?.resolve(address);
  const tls = await withAuthorities(settings.tls);
  return withLogin(settings, async ({ endsMs, ...login }) => {
    const current = { ...settings, ...login, tls };
    const { clients, connection } = await (settings.cluster
      ? openCluster(module, current, scope)
      : openStandalone(module, current, scope));
    if (endsMs < Infinity)
      connection.onClose = renewInTime({
        settings,
        login: { ...login, endsMs },
        authenticate: authenticate(clients, login, retire),
        retire,
      });
    return connection;
  });
}

interface Opened {
  readonly connection: GlideConnection;
  readonly clients: readonly Authenticated[];
}

type Authenticated = Pick<Glide.BaseClient, "updateConnectionPassword">;

/** GLIDE keeps the username of a client, so another user needs another client. */
function authenticate(clients: readonly Authenticated[], login: Login, retire: () => void) {
  let { password = "" } = login;
  return async (next: Login): Promise<void> => {
    if (next.username !== login.username) return retire();
    const update = (to: string, isLogin: boolean) =>
      clients.map((client) => client.updateConnectionPassword(to, isLogin));
    try {
      await Promise.all(update(next.password ?? "", true));
      password = next.password ?? "";
    } catch (error) {
      // GLIDE would reconnect with the password that was refused, so it gets back the one before.
      if (fromGlide(error, "") instanceof ReplyError) await Promise.allSettled(update(password, false));
      throw error;
    }
  };
}

async function openStandalone(module: GlideModule, settings: GlideSettings, scope: DialScope): Promise<Opened> {
  const opener = standalone(module, { ...settings, readFrom: "primary" });
  const { client, replicas, isWhole } = await dialGlide(settings, scope, opener);
  const reader = replicas.length === 0 ? undefined : await openReader(module, settings, replicas, isWhole);
  const close = (): void => {
    client.close();
    reader?.close();
  };
  const connection = new GlideConnection(module, settings, client, { reader, close });
  return { connection, clients: reader ? [client, reader] : [client] };
}

/**
 * A cluster client that has lost its nodes keeps looking for them until the process ends, even when it is closed. It asks
 * the address resolver each time, so the resolver stops it. Before that the resolver returns each address unchanged, which
 * keeps the server name of TLS.
 */
async function openCluster(module: GlideModule, settings: GlideSettings, scope: DialScope): Promise<Opened> {
  const create = async () => {
    let isClosed = false;
    const resolve = toGlideResolver(settings);
    const addressResolver = (host: string, port: number) => (isClosed ? NOWHERE : resolve(host, port));
    const open = (clientName: string | undefined) =>
      module.GlideClusterClient.createClient({ ...common(module, { ...settings, clientName }), addressResolver });
    const client = await open(settings.clientName).catch((error: unknown) => {
      if (!/client name/i.test(String(error))) throw error;
      omit([["CLIENT", "SETNAME"]], settings);
      return open(undefined);
    });
    const close = (): void => {
      isClosed = true;
      client.close();
    };
    return { client, close };
  };
  const { client } = await dialGlide(settings, scope, { create, ping: undefined });
  const connection = new GlideConnection(module, settings, client.client, { reader: undefined, close: client.close });
  return { connection, clients: [client.client] };
}

function standalone(module: GlideModule, settings: GlideSettings): Opener<Glide.GlideClient> {
  const { Batch, GlideClient, NodeDiscoveryMode } = module;
  let { clientName } = settings;
  return {
    create(addresses) {
      const options = common(module, { ...settings, addresses, clientName });
      // GLIDE doesn't connect where the server refuses the name, and then another client is tried.
      clientName = undefined;
      return GlideClient.createClient({ ...options, nodeDiscoveryMode: NodeDiscoveryMode.Static });
    },
    async ping(client, timeout) {
      // GLIDE has no option for the version. The name is for clients that were opened without.
      const info = introduction(settings).filter(([, , what]) => what !== "LIB-NAME");
      const batch = fill(new Batch(false), [["PING"], ...info]);
      const [pong, ...others] = (await client.exec(batch, false, { timeout })) ?? [];
      if (pong instanceof Error) throw pong;
      omit(
        info.filter((_, i) => others[i] instanceof Error),
        settings,
      );
    },
  };
}

/**
 * A second client for reads. One client for all servers would take the first server that connects for the primary.
 * @returns `undefined` if it can't connect; then the primary answers reads
 */
async function openReader(
  module: GlideModule,
  settings: GlideSettings,
  replicas: readonly Address[],
  isWhole: boolean,
): Promise<Glide.GlideClient | undefined> {
  const { addresses, readFrom, connectTimeoutMs } = settings;
  // GLIDE waits for all servers, and later finds the ones that were down.
  const timeoutMs = isWhole ? connectTimeoutMs : Math.ceil(connectTimeoutMs / 4);
  const opener = standalone(module, {
    ...settings,
    connectTimeoutMs: timeoutMs,
    // A replica that is silent leaves time to ask the primary.
    commandTimeoutMs: Math.ceil(settings.commandTimeoutMs / 2),
    readFrom: readFrom === "preferReplica" ? "allNodes" : readFrom,
  });
  const readsPrimary = readFrom === "allNodes" || readFrom === "AZAffinityReplicasAndPrimary";
  const client = await opener.create(readsPrimary ? addresses : replicas);
  try {
    await opener.ping?.(client, timeoutMs);
    return client;
  } catch (error) {
    if (fromGlide(error, settings.name) instanceof ReplyError) return client;
    client.close();
    return undefined;
  }
}

function common(
  module: GlideModule,
  settings: GlideSettings,
): Glide.BaseClientConfiguration & Glide.AdvancedGlideClientConfiguration {
  const { username, password, tls, clientAz } = settings;
  const isNamed = introduction(settings).some(([, what]) => what === "SETNAME");
  return {
    libName: LIBRARY.name,
    ...(isNamed && settings.clientName !== undefined ? { clientName: settings.clientName } : {}),
    addresses: settings.addresses.map(({ host, port }) => ({ host, port })),
    useTLS: tls !== undefined,
    protocol: settings.protocol === 3 ? module.ProtocolVersion.RESP3 : module.ProtocolVersion.RESP2,
    requestTimeout: settings.commandTimeoutMs,
    inflightRequestsLimit: MAX_IN_FLIGHT,
    readFrom: settings.readFrom,
    connectionBackoff: settings.cluster ? CLUSTER_BACKOFF : BACKOFF,
    ...(settings.database === 0 ? {} : { databaseId: settings.database }),
    ...(password === undefined ? {} : { credentials: { password, ...(username === undefined ? {} : { username }) } }),
    ...(settings.iam ? { credentials: toIam(module, settings.iam) } : {}),
    ...(clientAz === undefined ? {} : { clientAz }),
    ...(settings.addressMap === undefined ? {} : { addressResolver: toGlideResolver(settings) }),
    ...{ advancedConfiguration: advanced(settings) },
  };
}

function toIam({ ServiceType }: GlideModule, { user, service, ...names }: IamSettings): Glide.ServerCredentials {
  const type = service === "memorydb" ? ServiceType.MemoryDB : ServiceType.Elasticache;
  return { username: user, iamConfig: { ...names, service: type } };
}

/** An address for which the application's function fails is not dialled at all. */
function toGlideResolver({ addressMap }: GlideSettings): (host: string, port: number) => [string, number] {
  return (host, port) => {
    try {
      const to = addressMap?.resolve({ host, port }) ?? { host, port };
      return [to.host, to.port];
    } catch {
      return NOWHERE;
    }
  };
}

function advanced({ connectTimeoutMs, tls }: GlideSettings): Glide.AdvancedBaseClientConfiguration {
  if (!tls) return { connectionTimeout: connectTimeoutMs };
  return {
    connectionTimeout: connectTimeoutMs,
    tlsAdvancedConfiguration: { insecure: tls.insecure, ...(tls.ca === undefined ? {} : { rootCertificates: tls.ca }) },
  };
}
