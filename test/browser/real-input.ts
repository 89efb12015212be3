/** Files of a shop that mean nobody well: good rows, repeats, conflicts, malformed rows, and markup wherever text may stand. */
import { rename, writeFile } from "node:fs/promises";
import { HEADER } from "../e2e/expected-file.js";
import type { Product } from "../support/product.js";

/** Sets `__pwned` where a page takes it for HTML; each is told apart by where it stands. */
export const markup = {
  image: '<img src=x onerror="window.__pwned=1">',
  script: "<script>window.__pwned=2</script>",
  /** Without a blank: an identifier as good as any other. */
  imageId: "<img/src=x/onerror=window.__pwned=3>",
  fileName: "<img src=x onerror=window.__pwned=4>.csv",
} as const;

/** A price that the test's table does not take until its constraint is dropped. */
export const dearPrice = "95000.00";

export interface Expected {
  readonly recordsRead: number;
  readonly eventsWritten: number;
  readonly duplicates: number;
  readonly conflicts: number;
  readonly deadLetters: Readonly<Record<string, number>>;
}

export interface WrittenFile {
  readonly name: string;
  readonly records: readonly string[];
  readonly expected: Expected;
}

const types = ["view", "add_to_cart", "purchase"] as const;

/** The nth event of a user who looks, takes and buys, an hour later with every ten. */
export function event(n: number, price = `${1 + (n % 50)}.50`): string {
  const at = new Date(Date.UTC(2026, 9, 1, Math.floor(n / 10), n % 60)).toISOString();
  return `event-${n},user-${n % 40},${types[Math.floor(n / 40) % 3]},product-${n % 9},${price},${at}`;
}

/** 250 events; the last ten are purchases of, and by, identifiers that are markup. */
export function goodFile(): WrittenFile {
  const plain = Array.from({ length: 240 }, (_, n) => event(n));
  const hostile = Array.from({ length: 10 }, (_, n) => {
    return `hostile-${n},${markup.imageId},purchase,${markup.script},60.25,2026-11-01T10:00:0${n}Z`;
  });
  return fileOf("good.csv", [...plain, ...hostile], { eventsWritten: 250 });
}

/** What is there already: 30 times the same, 12 times with another price; and 20 events that are new. */
export function repeatsFile(): WrittenFile {
  const repeats = Array.from({ length: 30 }, (_, n) => event(n));
  const conflicts = Array.from({ length: 12 }, (_, n) => event(100 + n, "9999.00"));
  const fresh = Array.from({ length: 20 }, (_, n) => event(300 + n));
  return fileOf("repeats.csv", [...repeats, ...conflicts, ...fresh], {
    eventsWritten: 20,
    duplicates: 30,
    conflicts: 12,
  });
}

/** A file whose very name is markup, with letters of six reasons. */
export function malformedFile(): WrittenFile {
  const at = "2026-11-02T10:00:00Z";
  const quoted = `"${markup.image.replaceAll('"', '""')}"`;
  const records = [
    ...Array.from({ length: 5 }, (_, n) => `short-${n},user-1,view`),
    ...Array.from({ length: 4 }, (_, n) => `free-${n},user-2,purchase,product-1,free,${at}`),
    ...Array.from({ length: 3 }, (_, n) => `type-${n},user-3,${quoted},product-1,1.00,${at}`),
    ...Array.from({ length: 2 }, (_, n) => `image-${n},user-4,view,${quoted},1.00,${at}`),
    `script-0,"${markup.script} ",view,product-1,1.00,${at}`,
    ...Array.from({ length: 3 }, (_, n) => `dear-${n},user-5,purchase,product-2,${dearPrice},${at}`),
    event(400),
  ];
  return fileOf(markup.fileName, records, {
    eventsWritten: 1,
    deadLetters: {
      field_count: 5,
      invalid_price: 4,
      invalid_event_type: 3,
      invalid_product_id: 2,
      invalid_user_id: 1,
      rejected_by_database: 3,
    },
  });
}

/** Events that no other file has. */
export function moreFile(name: string, from: number, count: number): WrittenFile {
  return fileOf(
    name,
    Array.from({ length: count }, (_, n) => event(from + n)),
    { eventsWritten: count },
  );
}

/** Whole at once: a reader that saw half a file would commit other batches, which is another test's matter. */
export async function dropFile(product: Product, { name, records }: WrittenFile): Promise<void> {
  const aside = product.path("aside.csv");
  await writeFile(aside, `${[HEADER, ...records].join("\n")}\n`);
  await rename(aside, product.input(name));
}

export function sumOf(files: readonly WrittenFile[]): Expected {
  const sum = (of: (expected: Expected) => number) =>
    files.reduce((total, { expected }) => total + of(expected), 0);
  return {
    recordsRead: sum(({ recordsRead }) => recordsRead),
    eventsWritten: sum(({ eventsWritten }) => eventsWritten),
    duplicates: sum(({ duplicates }) => duplicates),
    conflicts: sum(({ conflicts }) => conflicts),
    deadLetters: Object.assign({}, ...files.map(({ expected }) => expected.deadLetters)),
  };
}

function fileOf(name: string, records: readonly string[], expected: Partial<Expected>): WrittenFile {
  const nothing = { eventsWritten: 0, duplicates: 0, conflicts: 0, deadLetters: {} };
  return { name, records, expected: { ...nothing, ...expected, recordsRead: records.length } };
}
