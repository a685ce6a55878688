// What the tests of the diff engine share: a naive model, objects of all kinds, and a large listing.
import fc from "fast-check";
import { textBytes } from "../../_bytes/exact_text.ts";
import { compareKeys } from "../../_bytes/order.ts";
import { ObjectBuilder } from "../../_diff/builder.ts";
import { objectCodec } from "../../_diff/object_identity.ts";
import { restoreAll, saveAll } from "../../_diff/saved_state.ts";
import { type Change, Snapshot } from "../../_diff/snapshot.ts";
import type { ObjectMeta } from "../../store.ts";

export type Model = Map<string, ObjectMeta>;

export function sorted(model: Model): ObjectMeta[] {
  return [...model.values()].sort((a, b) => compareKeys(a.key, b.key));
}

export function identityOf(object: ObjectMeta): string {
  return JSON.stringify(
    object.etag === undefined
      ? [object.size, object.lastModified ?? null]
      : [object.size, object.etag],
  );
}

export function naiveChanges(old: Model, next: Model): Change<ObjectMeta>[] {
  const found: Change<ObjectMeta>[] = [];
  for (const item of sorted(new Map([...old, ...next]))) {
    const before = old.get(item.key), after = next.get(item.key);
    if (before === undefined) found.push({ type: "added", item });
    else if (after === undefined) found.push({ type: "removed", item: before });
    else if (identityOf(before) !== identityOf(after)) {
      found.push({ type: "modified", item: after, previous: before });
    }
  }
  return found;
}

export function addRaw(builder: ObjectBuilder, object: ObjectMeta): void {
  // Surrounded by other bytes, as in a page.
  const key = textBytes(`<${object.key}>`), etag = textBytes(`<${object.etag ?? ""}>`);
  builder.addRaw(
    key,
    1,
    key.length - 1,
    etag,
    object.etag === undefined ? -1 : 1,
    etag.length - 1,
    false,
    object.size,
    object.lastModified,
  );
  key.fill(0xff);
  etag.fill(0xff);
}

export function build(objects: Iterable<ObjectMeta>, old?: Snapshot): Snapshot {
  const builder = new ObjectBuilder(old);
  for (const object of objects) builder.add(object);
  return builder.finish();
}

export function modelOf(snapshot: Snapshot): Model {
  return new Map([...snapshot.values(objectCodec)].map((object) => [object.key, object]));
}

export const shape = (snapshot: Snapshot) => [...snapshot.values(objectCodec)];

export const HOSTILE = [
  "",
  "/",
  "//",
  "..",
  "../a",
  "__proto__",
  "constructor",
  "%2F",
  "+",
  " ",
  "\0",
  "\u0001\n\r",
  "\u007f\u0080",
  "\ufeff",
  "\ufeffa",
  "\uffff",
  "\u{10000}",
  "\u{1f600}",
  "a\ud800",
  "a\udfff",
  "\ud800",
  "\udbff",
  "\udc00",
  "\udc00\ud800",
  "\ufffd",
  "ä",
  "a\u0308",
  "x".repeat(127),
  "x".repeat(128),
  "x".repeat(1024),
  "x".repeat(200) + "\ud800",
  "é".repeat(200),
];
export const HEX = "0123456789abcdef0123456789abcdef";
export const ETAGS = [
  "",
  '"',
  '""',
  `"${HEX}"`,
  HEX,
  HEX.toUpperCase(),
  `"${HEX.toUpperCase()}"`,
  `'${HEX}'`,
  `"${HEX}`,
  `${HEX}"`,
  `""${HEX}""`,
  `W/"${HEX}"`,
  `${HEX}-1`,
  `"${HEX}-10000"`,
  `"${HEX}-0"`,
  `"${HEX}-01"`,
  `"${HEX}-"`,
  `"${HEX}--1"`,
  `"${HEX}-999999999999999999"`,
  `"${HEX}-9007199254740991"`,
  `${HEX}0`,
  HEX.slice(1),
  "g".repeat(32),
  "0",
  "00",
  "01",
  "-1",
  "1e3",
  "1763869468123456",
  '"1763869468123456"',
  "9007199254740991",
  "9007199254740992",
  "9007199254740993",
  "9999999999999999",
  "0x8DC5A1B2C3D4E5F",
  '"ä\u{1f600}\ud800"',
];
export const hex = fc.string({
  unit: fc.constantFrom(..."0123456789abcdefA"),
  minLength: 31,
  maxLength: 33,
});
/** Keys that differ only in what is likely to be packed. */
export function alikeKey(middle: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc.tuple(fc.constantFrom("", "a-"), middle, fc.constantFrom(".bin", ".Bin", ""))
    .map((parts) => parts.join(""));
}
export const anyKey = fc.oneof(
  fc.constantFrom(...HOSTILE),
  fc.string({ unit: "binary" }),
  fc.string({
    unit: fc.constantFrom("a", "b", "/", "é", "\u{1f600}", "\ud800", "\uffff"),
  }),
  alikeKey(fc.string({ unit: fc.constantFrom(..."0189afgA-é"), minLength: 5, maxLength: 6 })),
);
export const anyEtag = fc.option(
  fc.oneof(
    fc.constantFrom(...ETAGS),
    fc.string({ unit: "binary" }),
    fc.tuple(hex, fc.constantFrom("", "-1", "-23", "-x"), fc.boolean()).map(([h, n, q]) =>
      q ? `"${h}${n}"` : h + n
    ),
    fc.bigInt(0n, 10n ** 17n).map(String),
  ),
  { nil: undefined },
);
export const anySize = fc.oneof(
  fc.nat(),
  fc.maxSafeNat(),
  fc.constantFrom(0, 127, 128, 2 ** 31, 2 ** 53 - 1),
);
export const anyTime = fc.option(
  fc.oneof(
    fc.maxSafeInteger(),
    fc.nat().map((seconds) => seconds * 1000),
    fc.double().filter((time) => !Object.is(time, -0)),
    fc.constantFrom(0, 1, 999, 4294967295000, 4294967296000, 2 ** 48 - 1, 2 ** 48, -1, NaN, 0.5),
  ),
  { nil: undefined },
);

export function objectOf(
  key: string,
  size: number,
  etag?: string,
  lastModified?: number,
): ObjectMeta {
  return {
    key,
    size,
    ...(etag === undefined ? {} : { etag }),
    ...(lastModified === undefined ? {} : { lastModified }),
  };
}
export const anyObject = fc.tuple(anyKey, anySize, anyEtag, anyTime).map((fields) =>
  objectOf(...fields)
);
/** Few keys and few states, so that histories collide. */
export const smallKey = fc.oneof(
  fc.nat(60).map((n) => `dir/${String(n).padStart(3, "0")}`),
  alikeKey(fc.nat(40).map((n) => (n * 97).toString(16).padStart(3, "0"))),
  fc.constantFrom(...HOSTILE),
);
export const smallObject = fc.tuple(
  smallKey,
  fc.nat(2),
  fc.constantFrom(undefined, '"e"', HEX),
  fc.constantFrom(1000, 2000),
)
  .map((fields) => objectOf(...fields));

export const byKey = (a: ObjectMeta, b: ObjectMeta) => compareKeys(a.key, b.key);

/** A large, regular listing: several chunks. */
export function listing(
  count: number,
  edit: (object: ObjectMeta, i: number) => ObjectMeta | undefined = (o) => o,
) {
  const objects: ObjectMeta[] = [];
  for (let i = 0; i < count; i++) {
    const digest = (i * 2654435761 >>> 0).toString(16).padStart(8, "0").repeat(4);
    const object = edit({
      key: `data/2026/11/23/part-${String(i).padStart(9, "0")}.parquet`,
      size: i * 7919 % 1_000_003,
      etag: `"${digest}"`,
      lastModified: 1_763_869_468_000 + i * 1000,
    }, i);
    if (object !== undefined) objects.push(object);
  }
  return objects;
}

/** One snapshot as bytes. */
export function saveOne(snapshot: Snapshot, identity: string): Uint8Array {
  return saveAll(identity, [snapshot]);
}

/** The snapshot in bytes, whatever they belong to. */
export function restoreOne(bytes: Uint8Array, identity: string): Snapshot {
  const [snapshot = Snapshot.empty] = restoreAll(bytes, identity, objectCodec, 1, () => {});
  return snapshot;
}

/** Chunks of `next` that are not chunks of `old`. */
export function fresh(old: Snapshot, next: Snapshot): number {
  const known = new Set(old.chunks);
  return next.chunks.filter((chunk) => !known.has(chunk)).length;
}
