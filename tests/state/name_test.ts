// The names of checkpoints: different for different keys, and fit for any file system and store.
import assert from "node:assert/strict";
import { test } from "node:test";
import { checkpointHash, checkpointName, keyOfName } from "../../_state/name.ts";

test("names are readable, short, safe, and different for different keys", async () => {
  const hostile = [
    "",
    ".",
    "..",
    "/",
    "//",
    "a/b",
    "a\\b",
    "a:b",
    "a b",
    "a_b",
    "A_b",
    "a_B",
    "ä",
    "a\u0308",
    "\u00e4b",
    "CON",
    "con",
    "nul.txt",
    "-rf",
    "~",
    "$HOME",
    "*",
    "?",
    "a\nb",
    "a\0b",
    "a\u202eb",
    "\ud800",
    "\ud801",
    "\ufffd",
    "𝒳",
    "__proto__",
    "s3://bucket/a",
    "s3://bucket/A",
    "s3://bucket_a",
    "x".repeat(300),
    "x".repeat(301),
    ".hidden",
    "../../etc/passwd",
    "lock.1",
    "a.checkpoint",
    "a.checkpoint.0123456789abcdef.tmp",
    "trailing.",
    "trailing ",
  ];
  const names = await Promise.all(hostile.map(checkpointName));
  // As on file systems that fold case.
  assert.equal(new Set(names.map((name) => name.toLowerCase())).size, hostile.length);
  for (const name of names) {
    assert.match(
      name,
      /^([A-Za-z0-9_][A-Za-z0-9_.-]*)?-[0-9a-f]{32}\.checkpoint$/,
    );
    assert(name.length <= 128);
  }
  assert.match(await checkpointName("s3://bucket/a"), /^s3_bucket_a-/);
});

test("a name never changes: checkpoints of earlier releases are found by it", async () => {
  const names: [string, string][] = [
    ["s3://b/a", "s3_b_a-a2a55eccb0aa85cb458edb32dda83772.checkpoint"],
    ["", "-e3b0c44298fc1c149afbf4c8996fb924.checkpoint"],
    [".-a", "_a-5e0ff31b945fa4f0f760ecbe76576f8c.checkpoint"],
  ];
  for (const [key, name] of names) {
    assert.equal(await checkpointName(key), name);
  }
  assert.match(await checkpointName("x".repeat(300)), /^x{80}-/);
  assert.equal(await checkpointHash(""), "e3b0c44298fc1c149afbf4c8996fb924");
});

test("a key is known from the line before its state, or from a name that holds all of it", async () => {
  const named = (key: string, head?: Parameters<typeof keyOfName>[1]) =>
    checkpointName(key).then((name) => keyOfName(name, head));
  assert.equal(await named("a/b", { key: "a/b" }), "a/b");
  assert.equal(await named("a/b", { key: "a/b", mark: "w/1" }), "a/b");
  assert.equal(await named("a/b", { key: "other" }), undefined, "the file was renamed");
  assert.equal(await named("a/b", { key: "a/b", empty: true }), undefined, "there is no state");
  assert.equal(await named("a.b-c"), "a.b-c", "release 0.1 kept no line");
  assert.equal(await named("a/b"), undefined);
  assert.equal(await keyOfName("a.b-c", undefined), undefined);
});
