// An answer as users see it: its fields, its text, and what is shown of it as JSON.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Resource } from "../../_http/resource.ts";

const encoder = new TextEncoder();

/** What `JSON.stringify` makes of a body. */
function shown(body: string | Uint8Array, value?: unknown): Record<string, unknown> {
  const bytes = typeof body === "string" ? encoder.encode(body) : body;
  const resource = new Resource({ url: "http://x/", status: 200, body: bytes });
  if (value !== undefined) resource.value = value;
  const { url, status, ...rest } = JSON.parse(JSON.stringify(resource));
  assert.deepEqual([url, status], ["http://x/", 200]);
  return rest;
}

test("headers that are missing or empty are no fields", () => {
  const parts = { url: "http://x/", status: 200, body: new Uint8Array() };
  for (const none of [undefined, null, ""]) {
    const headers = { etag: none, lastModified: none, contentType: none };
    assert.deepEqual(Object.keys(new Resource({ ...parts, ...headers })), [
      "url",
      "status",
      "body",
    ]);
  }
  const headers = { etag: '"1"', lastModified: "then", contentType: "a/b" };
  const { etag, lastModified, contentType } = new Resource({ ...parts, ...headers });
  assert.deepEqual({ etag, lastModified, contentType }, headers);
  const { body: _, ...rest } = new Resource({ ...parts, ...headers });
  assert.deepEqual(new Resource({ ...parts, ...headers }).toJSON(), { ...rest, text: "" });
});

test("a body of up to 64 KiB is shown whole, of a longer one the beginning", () => {
  const whole = "x".repeat(65_536);
  assert.deepEqual(shown(whole), { text: whole });
  assert.deepEqual(shown(`${whole}y`), { text: whole, bytes: 65_537 });
  assert.deepEqual(shown(`${whole.slice(1)}é`), { text: whole.slice(1), bytes: 65_537 });
});

test("a body that is not UTF-8 is shown as base64", () => {
  assert.deepEqual(shown(new Uint8Array([0xff, 0])), { base64: "/wA=" });
  assert.deepEqual(shown(encoder.encode("é").subarray(0, 1)), { base64: "ww==" });
  const long = new Uint8Array(70_000).fill(0xff);
  const { base64, bytes } = shown(long);
  assert.equal(bytes, 70_000);
  assert.equal(base64, btoa("\xff".repeat(65_536)));
});

test("a value is shown in place of the body", () => {
  assert.deepEqual(shown("text", { a: 1 }), { value: { a: 1 } });
  assert.deepEqual(shown("text", null), { value: null });
  assert.deepEqual(shown("text"), { text: "text" });
});
