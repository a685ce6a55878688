// The names of checkpoints: different for different keys, and fit for any file system and store.
import assert from "node:assert/strict";
import { test } from "node:test";
import { checkpointName } from "../../_state/name.ts";

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
