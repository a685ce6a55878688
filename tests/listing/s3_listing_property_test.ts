// Property: whatever way a listing is written in, the reader of S3 listings says exactly what it holds.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ExternalError } from "@koprs/external/error";
import type { ObjectMeta } from "@koprs/external/store";
import fc from "fast-check";
import { pageOfObjects } from "../../_listing/listed_page.ts";
import { MD5, read, tracked } from "./_s3.ts";

const encoder = new TextEncoder();

/** Any text that XML can hold: not all can be said, even by a reference. */
const legal = (text: string) =>
  // deno-lint-ignore no-control-regex -- these are meant
  text.replace(/[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]|\p{Cs}/gu, "x");

const text = (options: fc.StringConstraints) =>
  fc.string({ unit: "binary", ...options }).filter((text) => text.isWellFormed());

const anObject: fc.Arbitrary<ObjectMeta> = fc.record(
  {
    key: fc.oneof(
      text({ minLength: 1, maxLength: 30 }),
      fc.constantFrom("__proto__", "..", "a//b", "%2F", "+", " ", "\0", "\ufeff", "]]>", "&amp;"),
    ),
    size: fc.oneof(fc.nat(), fc.maxSafeNat()),
    etag: fc.oneof(
      fc.constant(`"${MD5}"`),
      fc.nat().map((n) => `"${MD5}-${n}"`),
      text({ minLength: 1, maxLength: 20 }).map(legal),
    ),
    lastModified: fc.date({ min: new Date(0), max: new Date("9999"), noInvalidDate: true })
      .map((date) => date.getTime()),
  },
  { requiredKeys: ["key", "size"], noNullPrototype: true },
);

/** Decides for each place of a document how it is written. */
class Writer {
  readonly #choices: readonly number[];
  #next = 0;
  readonly urlEncoded: boolean;
  readonly #prefix: string;

  constructor(choices: readonly number[]) {
    this.#choices = choices;
    this.urlEncoded = this.choose(2) === 0;
    this.#prefix = this.choose(3) === 0 ? "ns0:" : "";
  }

  choose(count: number): number {
    return (this.#choices[this.#next++ % this.#choices.length] as number) % count;
  }

  shuffled<V>(values: readonly V[]): V[] {
    return values.map((value) => ({ value, rank: this.choose(1000) }))
      .sort((a, b) => a.rank - b.rank).map(({ value }) => value);
  }

  between(): string {
    return ["", "", "", "\n  ", "<!-- <Key> & -->", "<?x y?>", "<Other a='>'><Key>z</Key></Other>"][
      this.choose(7)
    ] as string;
  }

  element(name: string, content: string, attributes = ""): string {
    const full = this.#prefix + name;
    if (content === "" && this.choose(2) === 0) return `<${full}${attributes}/>`;
    const more = ["", " ", ' a=">"'][this.choose(3)];
    return `<${full}${attributes}${more}>${content}</${full}>`;
  }

  /** The text, written with entities, CDATA or neither. */
  text(text: string): string {
    if (this.choose(6) === 0 && !/]]>|\r/.test(text)) return `<![CDATA[${text}]]>`;
    const named = new Map([["<", "lt"], [">", "gt"], ["&", "amp"], ['"', "quot"], ["'", "apos"]]);
    return Array.from(text, (char) => {
      const point = char.codePointAt(0) as number;
      const must = char === "<" || char === "&" || char === ">" || char === "\r";
      const way = this.choose(char === "\r" ? 2 : must ? 3 : 12);
      if (way === 0) return `&#${point};`;
      if (way === 1) return `&#x${point.toString(16)};`;
      return named.has(char) && (must || way < 6) ? `&${named.get(char)};` : char;
    }).join("");
  }

  key(key: string): string {
    if (!this.urlEncoded) return this.text(key);
    const written = Array.from(encoder.encode(key), (byte) => {
      const hex = byte.toString(16).padStart(2, "0");
      const char = String.fromCharCode(byte);
      if (byte === 0x20) return this.choose(2) === 0 ? "+" : "%20";
      if (/[\w/.*-]/.test(char) && this.choose(4) > 0) return char;
      return `%${this.choose(2) === 0 ? hex : hex.toUpperCase()}`;
    }).join("");
    return this.text(written);
  }

  document(objects: readonly ObjectMeta[], token: string | undefined): string {
    const contents = objects.map(({ key, size, etag, lastModified }) => {
      const fields = [this.element("Key", this.key(key)), this.element("Size", String(size))];
      if (etag !== undefined) fields.push(this.element("ETag", this.text(etag)));
      if (lastModified !== undefined) {
        fields.push(this.element("LastModified", new Date(lastModified).toISOString()));
      }
      fields.push(this.element("StorageClass", "STANDARD"));
      const inner = this.shuffled(fields).map((field) => this.between() + field).join("");
      return this.element("Contents", inner + this.between());
    });
    const meta = [this.element("IsTruncated", String(token !== undefined))];
    if (this.urlEncoded) meta.push(this.element("EncodingType", "url"));
    if (token !== undefined) meta.push(this.element("NextContinuationToken", this.text(token)));
    const cut = this.choose(meta.length + 1);
    const parts = [...meta.slice(0, cut), ...contents, ...meta.slice(cut)];
    const inner = parts.map((part) => this.between() + part).join("") + this.between();
    const declared = ' xmlns="s3" xmlns:ns0="s3"';
    return `<?xml version="1.0"?>${this.element("ListBucketResult", inner, declared)}`;
  }
}

const aDocument = fc.record({
  objects: fc.uniqueArray(anObject, { maxLength: 8, selector: ({ key }) => key }),
  token: fc.option(text({ minLength: 1, maxLength: 20 }), { nil: undefined }),
  choices: fc.array(fc.nat(), { minLength: 1, maxLength: 200 }),
}).map(({ objects, token, choices }) => {
  const writer = new Writer(choices);
  // What is not URL-encoded can only be what XML can hold.
  const written = writer.urlEncoded
    ? objects
    : objects.map((object, i) => ({ ...object, key: `${legal(object.key)}${i}` }));
  const next = token === undefined ? undefined : legal(token);
  return { objects: written, token: next, xml: writer.document(written, next) };
});

test("property: every layout gives the objects, exactly", () => {
  fc.assert(
    fc.property(aDocument, fc.nat(100), ({ objects, token, xml }, room) => {
      const page = read(xml, room + 1);
      assert.deepEqual(page.objects(), objects);
      assert.equal(page.truncated, token !== undefined);
      assert.equal(page.nextToken, token);
      assert.equal(page.count, objects.length);
      const byKey = (a: ObjectMeta, b: ObjectMeta) => a.key < b.key ? -1 : 1;
      assert.deepEqual(tracked(page).sort(byKey), objects.toSorted(byKey));
      assert.deepEqual(pageOfObjects(objects, "").objects(), objects);
    }),
    { numRuns: 500 },
  );
});

test("property: no part of a listing is a listing", () => {
  fc.assert(
    fc.property(aDocument, fc.nat(), fc.nat(300), ({ xml }, at, room) => {
      const bytes = encoder.encode(xml);
      assert.throws(
        () => read(bytes.subarray(0, at % bytes.length), room + 1),
        (error) => error instanceof ExternalError && error.code === "protocol",
      );
    }),
    { numRuns: 500 },
  );
});

test("property: damage is read or refused, and nothing else", () => {
  fc.assert(
    fc.property(
      aDocument,
      fc.array(
        fc.tuple(fc.nat(), fc.oneof(fc.nat(255), fc.constantFrom(...encoder.encode("<>/&!%-")))),
      ),
      ({ xml }, damage) => {
        const bytes = encoder.encode(xml);
        for (const [at, byte] of damage) bytes[at % bytes.length] = byte;
        try {
          read(bytes).objects();
        } catch (error) {
          assert.ok(error instanceof ExternalError && error.code === "protocol", String(error));
        }
      },
    ),
    { numRuns: 500 },
  );
});
