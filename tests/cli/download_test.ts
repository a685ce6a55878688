// Copies of contents: their places, and that they are whole or not there.
import assert from "node:assert/strict";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join, resolve, sep } from "node:path";
import { test } from "node:test";
import { UnfitError } from "../../_cli/command.ts";
import { drop, keep, keyOfUrl, placeOf } from "../../_cli/download.ts";
import { temporaryFolder } from "./_program.ts";

const encoder = new TextEncoder();

async function* contentOf(...parts: readonly (string | Error)[]): AsyncGenerator<Uint8Array, void> {
  for (const part of parts) {
    if (typeof part !== "string") throw part;
    yield encoder.encode(part);
  }
}

test("no key leaves the folder of the downloads, and no two keys share a place", () => {
  const keys = ["a", "../a", "/a", "a//b", "a/./b", "..", ".", "a/", "%2E%2E/a", "a%", "a\\..\\b"];
  const places = keys.map((key) => placeOf("out", key));
  for (const place of places) assert.ok(resolve(place).startsWith(resolve("out") + sep), place);
  assert.equal(new Set(places).size, keys.length, places.join(" "));
});

test("a place is readable, and a name that every system accepts", () => {
  const names: [string, string][] = [
    ["in/2026-01-01 a.csv", "in/2026-01-01 a.csv"],
    ["ключ/é~+&=", "ключ/é~+&="],
    ["./../a", "%2E/%2E%2E/a"],
    ["/a//b/", "%/a/%/b/%"],
    ["a.", "a%2E"],
    ["a /b", "a%20/b"],
    ["...", "..%2E"],
    ['a\\b:c*d?e"f<g>h|i%', "a%5Cb%3Ac%2Ad%3Fe%22f%3Cg%3Eh%7Ci%25"],
    ["a\nb\x7f\x85\ud800", "a%0Ab%7F%C2%85%EF%BF%BD"],
  ];
  for (const [key, name] of names) {
    assert.equal(placeOf("out", key), join("out", ...name.split("/")), key);
  }
  // Bytes are counted, not characters.
  for (const fits of ["x".repeat(200), "é".repeat(100)]) {
    assert.equal(placeOf("out", fits), join("out", fits));
    assert.throws(() => placeOf("out", `a/${fits}x/b`), {
      constructor: UnfitError,
      message: /too long/,
    });
  }
});

test("an HTTP resource is kept by host and path", () => {
  assert.equal(keyOfUrl("https://h:1/a/?token=x"), "h:1/a/index");
  assert.equal(keyOfUrl("https://h/a?token=x"), "h/a");
  assert.equal(keyOfUrl("https://h"), "h/index");
});

test("a copy is whole, or as it was", async (t) => {
  const folder = await temporaryFolder(t);
  const place = join(folder, "in", "deep", "a");
  await keep(place, contentOf("one", " two"));
  assert.equal(await readFile(place, "utf8"), "one two");
  const broken = new Error("the connection broke");
  await assert.rejects(keep(place, contentOf("three", broken)), broken);
  assert.equal(await readFile(place, "utf8"), "one two");
  await keep(place, contentOf());
  assert.equal(await readFile(place, "utf8"), "");
  assert.deepEqual(await readdir(join(folder, "in", "deep")), ["a"]);
});

test("a copy that is gone may be dropped again", async (t) => {
  const folder = await temporaryFolder(t);
  await keep(join(folder, "a"), contentOf("one"));
  await drop(join(folder, "a"));
  await drop(join(folder, "a"));
  await drop(join(folder, "missing", "a"));
  assert.deepEqual(await readdir(folder), []);
});

test("a file and a folder of one name are told from other failures", async (t) => {
  const folder = await temporaryFolder(t);
  await writeFile(join(folder, "a"), "");
  await mkdir(join(folder, "b"));
  const clash = { constructor: UnfitError, message: /a file and a folder of one name/ };
  await assert.rejects(keep(join(folder, "a", "b"), contentOf("one")), clash);
  await assert.rejects(keep(join(folder, "b"), contentOf("one")), clash);
  await assert.rejects(drop(join(folder, "b")), clash);
  assert.deepEqual((await readdir(folder)).sort(), ["a", "b"]);
  const full = Object.assign(new Error("no space"), { code: "ENOSPC" });
  await assert.rejects(keep(join(folder, "c"), contentOf(full)), full);
});
