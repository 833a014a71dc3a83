/** Lifetime of everything that is stored, in seconds. */
export const TTL = 3_600;
/** What people write around a client that gets and sets text. */
export class ByHand {
    async get(key) {
        const text = await this.read(key);
        return text === null ? undefined : JSON.parse(text);
    }
    async set(key, value) {
        await this.write(key, JSON.stringify(value));
    }
    async getMany(keys) {
        const texts = await this.readMany(keys);
        return texts.map((text) => (text === null ? undefined : JSON.parse(text)));
    }
    async getOrSet(key, load) {
        const text = await this.read(key);
        if (text !== null)
            return JSON.parse(text);
        const value = await load();
        await this.set(key, value);
        return value;
    }
}
