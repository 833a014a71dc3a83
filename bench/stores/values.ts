/** A value as services keep them, of a certain length as JSON; each is told by its own number. */
export interface Size {
  readonly name: string;
  /** About how long it is as JSON, in bytes. */
  readonly bytes: number;
  make(id: number): unknown;
}

function small(id: number): object {
  return { id, name: "Reykjavik", country: "IS", population: 118_918, capital: true, lat: 64.135, lng: -21.895 };
}

function record(id: number): object {
  return {
    ...small(id),
    names: ["Reikiavik", "Rejkjavik", "Reykjavikurborg", "Reykiavica", "Reykjavik City"],
    timezone: "Atlantic/Reykjavik",
    updated: "2026-05-04T10:20:30.000Z",
    description: `${"The capital and the largest town, on the southern shore of a bay. ".repeat(7)}Number ${id}.`,
    near: [
      { id: id + 1, name: "Kopavogur", country: "IS", km: 3.4, capital: false },
      { id: id + 2, name: "Hafnarfjordur", country: "IS", km: 9.1, capital: false },
      { id: id + 3, name: "Seltjarnarnes", country: "IS", km: 4.2, capital: false },
    ],
  };
}

export const sizes: readonly Size[] = [
  { name: "100 B", bytes: 100, make: small },
  { name: "1 KB", bytes: 1_000, make: record },
  {
    name: "100 KB",
    bytes: 100_000,
    make: (id) => ({ id, items: Array.from({ length: 100 }, (_item, i) => record(id * 100 + i)) }),
  },
];
