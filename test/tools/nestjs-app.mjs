// An application of NestJS, without decorators, as they would have to be compiled. It prints its port.
import "reflect-metadata";
import { CACHE_MANAGER, CacheInterceptor, CacheModule } from "@nestjs/cache-manager";
import { Controller, Get, Inject, Module, UseInterceptors } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import { herd } from "valkey-edge-cache";
import { fleetWrap, keyvStore } from "valkey-edge-cache/keyv";

const { VALKEY_URL: location, KEY_PREFIX: keyPrefix } = process.env;
const FLEET_CACHE = Symbol("FLEET_CACHE");

class Cities {
  #calls = 0;

  constructor(cache, fleet) {
    this.cache = cache;
    this.fleet = fleet;
  }

  city() {
    this.#calls++;
    return { pid: process.pid, calls: this.#calls };
  }

  report() {
    const load = async () => {
      await new Promise((resolve) => setTimeout(resolve, 200));
      this.#calls++;
      return { pid: process.pid, calls: this.#calls };
    };
    return this.fleet.wrap("report", load, 60_000);
  }

  async counter() {
    const count = ((await this.cache.get("counter")) ?? 0) + 1;
    await this.cache.set("counter", count, 30_000);
    return { count, ttl: await this.cache.ttl("counter") };
  }
}

class AppModule {}

for (const [name, decorators] of Object.entries({
  city: [Get("city"), UseInterceptors(CacheInterceptor)],
  report: [Get("report")],
  counter: [Get("counter")],
})) {
  const method = Object.getOwnPropertyDescriptor(Cities.prototype, name);
  for (const decorate of decorators) decorate(Cities.prototype, name, method);
}
Inject(CACHE_MANAGER)(Cities, undefined, 0);
Inject(FLEET_CACHE)(Cities, undefined, 1);
Controller()(Cities);
Module({
  imports: [
    CacheModule.registerAsync({
      isGlobal: true,
      useFactory: async () => ({
        ttl: 60_000,
        stores: keyvStore({ location, keyPrefix, client: herd(), commandTimeout: "500ms", connectTimeout: "500ms" }),
      }),
    }),
  ],
  controllers: [Cities],
  providers: [
    { provide: FLEET_CACHE, inject: [CACHE_MANAGER], useFactory: (cache) => fleetWrap(cache, { ttl: 60_000 }) },
  ],
})(AppModule);

const app = await NestFactory.create(AppModule, { logger: ["error", "warn"] });
app.enableShutdownHooks();
await app.listen(0, "127.0.0.1");
console.log(`listening ${app.getHttpServer().address().port}`);
