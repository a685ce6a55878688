/** The rules of keys and prefixes: they are exact. */
import assert from "node:assert/strict";
import { compareKeys } from "../_bytes/order.ts";
import { bytesOf, forEach, poll, show } from "./harness.ts";
import {
  accepted,
  fill,
  isSame,
  list,
  pollerOf,
  read,
  sortedKeys,
  type StoreRule,
} from "./store_fixture.ts";

/** Keys that clients, protocols and file systems are likely to change. None is a folder of another. */
const HOSTILE_KEYS: readonly string[] = [
  // separators and dots
  ...[
    "/lead",
    "//lead2",
    "a//b",
    "trail/",
    "trail2//",
    "dot/./b",
    "dot/../b",
    "..",
    "../up",
    "...",
  ],
  ...[".hidden", "back\\slash", "c:\\x"],
  // escapes, and what looks like one
  ...["x/y", "x%2Fy", "x%252Fy", "%", "%zz", "%00", "p+q", "p q", "p%20q", "p%2Bq"],
  ...["<&>", "&amp;", "&#10;", "\"'`", "q?r#s", "q=r&s=t", ";,:@$!*()[]{}|^~"],
  // blanks and control characters
  ...[
    " lead",
    "trail ",
    "two  blanks",
    "tab\t",
    "line\n",
    "return\r\n",
    "\u0001\u001f",
    "del\u007f",
  ],
  ...["nul\0", "\u0085\u2028", "\u00a0", "\u200b", "\u202eltr", "\ufeffbom"],
  // letters: composed and not, upper and lower case, beyond U+FFFF, the last before it
  ...["\u00fc", "u\u0308", "case", "CASE", "\uff5e", "\ufffd", "\uffff", "\u{10000}", "\u{1f600}"],
  ...["\u{1f469}\u200d\u{1f469}", "\u{10ffff}"],
  // names that mean something in JavaScript
  ...["__proto__", "constructor", "toString", "null", "undefined", "0", "-0", "NaN"],
  // long ones
  "n".repeat(255),
  "n".repeat(900),
  `${"folder/".repeat(100)}x`,
];

/** For the few stores that hold them. */
const LONE_KEYS: readonly string[] = ["lone\ud83d", "lone\ude00", "lone\ud83d\ud83d"];

export const KEY_RULES: readonly StoreRule[] = [
  ["keys are exact", async (fixture, t) => {
    const keys = accepted(fixture, HOSTILE_KEYS, t);
    await forEach(keys, async (key) => {
      try {
        await fixture.put(key, bytesOf(key));
      } catch (cause) {
        throw new Error(`Cannot put ${show(key)}; can the backend hold it? See 'accepts'`, {
          cause,
        });
      }
    });
    const objects = await list(fixture);
    assert.deepEqual(sortedKeys(objects), [...keys].sort(compareKeys));
    const events = await poll(pollerOf(fixture));
    assert.deepEqual(events.map(({ item }) => item.key), [...keys].sort(compareKeys));
    await forEach(keys, async (key) => {
      const content = await new Response(await fixture.store.get(key)).text();
      // `text` drops a byte order mark.
      assert.equal(content, key.replace(/^\ufeff/, ""), `get ${show(key)}`);
    });
  }],

  ["a prefix is a plain string", async (fixture, t) => {
    const wanted = [
      "a/b",
      "a/bc",
      "a/b c",
      "a%2Fb",
      "a+b",
      "ab",
      "A/b",
      "é/1",
      "é/2",
      "z/é",
      "[a]*",
    ];
    const keys = accepted(fixture, wanted, t);
    await fill(fixture, keys);
    const prefixes = [...keys, "", "a", "a/", "a/b", "a%", "a%2F", "a+", "é", "e", "[", ".*", "*"];
    for (const prefix of [...prefixes, "../", "..", "/", "./", "a/b/", "__proto__", "zzz"]) {
      const expected = keys.filter((key) => key.startsWith(prefix)).sort(compareKeys);
      const found = sortedKeys(await list(fixture, { prefix }));
      assert.deepEqual(found, expected, `list with prefix ${show(prefix)}`);
      const events = await poll(pollerOf(fixture, { prefix }));
      assert.deepEqual(events.map(({ item }) => item.key), expected, `poll of ${show(prefix)}`);
    }
  }],

  ["what is no valid Unicode is taken for nothing else", async (fixture, t) => {
    const { store } = fixture;
    // The character that encoders put in place of a lone surrogate, and a pair that begins with one.
    const keys = accepted(fixture, ["\ufffd", "\ufffd-a", "\u{1f600}-a", "a"], t);
    await fill(fixture, keys);
    for (const lone of ["\ud800", "\ud83d", "\ude00", "\ufffd\udfff"]) {
      const found = await list(fixture, { prefix: lone }).catch(() => []);
      const others = sortedKeys(found).filter((key) => !key.startsWith(lone));
      assert.deepEqual(others, [], `list with prefix ${show(lone)}`);
      const content = await store.get(lone).then(read, () => undefined);
      assert.equal(content?.length ?? 0, 0, `get ${show(lone)} must not give another object`);
    }
    if (fixture.holdsLoneSurrogates !== true) return;
    await fill(fixture, LONE_KEYS);
    const all = [...keys, ...LONE_KEYS].sort(compareKeys);
    assert.deepEqual(sortedKeys(await list(fixture)), all);
    assert.deepEqual((await poll(pollerOf(fixture))).map(({ item }) => item.key), all);
    for (const key of LONE_KEYS) assert.ok(isSame(await read(await store.get(key)), bytesOf(key)));
  }],
];
