/** Gives an object other values of some properties. @returns puts back what was there */
export function replaceProperties(target: object, values: Readonly<Record<string, unknown>>): () => void {
  const before = Object.keys(values).map((name) => [name, Object.getOwnPropertyDescriptor(target, name)] as const);
  for (const [name, value] of Object.entries(values)) {
    Object.defineProperty(target, name, { value, writable: true, configurable: true, enumerable: true });
  }
  return () => {
    for (const [name, own] of before) {
      Reflect.deleteProperty(target, name);
      if (own) Object.defineProperty(target, name, own);
    }
  };
}

/**
 * Makes properties show other values than they have. What Node assigns meanwhile is kept for later.
 * @returns shows the properties as they are
 */
export function maskProperties(target: object, shown: Readonly<Record<string, () => unknown>>): () => void {
  const restore = Object.entries(shown).map(([name, get]) => {
    const own = Object.getOwnPropertyDescriptor(target, name);
    const assigned: unknown[] = [];
    Object.defineProperty(target, name, {
      get,
      set: (value: unknown) => void assigned.push(value),
      configurable: true,
      enumerable: own?.enumerable ?? false,
    });
    return (): void => {
      Reflect.deleteProperty(target, name);
      if (own) Object.defineProperty(target, name, own);
      for (const value of assigned) Reflect.set(target, name, value);
    };
  });
  return () => {
    for (const undo of restore.splice(0)) undo();
  };
}
