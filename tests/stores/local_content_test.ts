// The stream of a file that can fail at each step, and the words of failures.
import assert from "node:assert/strict";
import type { FileHandle } from "node:fs/promises";
import { test } from "node:test";
import { ExternalError } from "@koprs/external/error";
import { countedSignal } from "../bounds/_listeners.ts";
import { streamOf } from "../../_files/content.ts";
import { Failures } from "../../_files/failure.ts";

type Part = string | Error | (() => Promise<never>);

/** A file that gives these parts, one by one, and then its end. */
class File {
  closed = 0;
  readonly #parts: Part[];
  readonly #closing: () => Promise<void>;

  constructor(parts: Part[], closing = () => Promise.resolve()) {
    this.#parts = parts;
    this.#closing = closing;
  }

  async read(buffer: Uint8Array): Promise<{ bytesRead: number; buffer: Uint8Array }> {
    const part = this.#parts.shift();
    if (part instanceof Error) throw part;
    if (typeof part === "function") return await part();
    const { written } = new TextEncoder().encodeInto(part ?? "", buffer);
    return { bytesRead: written, buffer };
  }

  close(): Promise<void> {
    this.closed++;
    return this.#closing();
  }
}

function stream(
  file: File,
  { signal, checkEnd = () => Promise.resolve() }: {
    signal?: AbortSignal;
    checkEnd?: () => Promise<void>;
  } = {},
): ReadableStream<Uint8Array> {
  const failed = (thrown: unknown) => new Error(`failed: ${(thrown as Error).message}`);
  return streamOf(file as unknown as FileHandle, { signal, checkEnd, failed });
}

const text = (body: ReadableStream<Uint8Array>) => new Response(body).text();

test("a file is read to its end, looked at once more, and closed once", async () => {
  const file = new File(["one, ", "two"]);
  const { signal, listeners } = countedSignal();
  const closed: number[] = [];
  const checkEnd = () => Promise.resolve(void closed.push(file.closed));
  assert.equal(await text(stream(file, { signal, checkEnd })), "one, two");
  assert.deepEqual(closed, [0], "while it is open");
  assert.equal(file.closed, 1);
  assert.equal(listeners(), 0);
});

test("what fails is told as such, and the file is closed, whatever comes of that", async () => {
  for (const closing of [undefined, () => Promise.reject(new Error("not closed"))]) {
    const broken = new File(["one", new Error("EIO")], closing);
    await assert.rejects(text(stream(broken)), /^Error: failed: EIO$/);
    assert.equal(broken.closed, 1);
    const changed = new File(["one"], closing);
    const checkEnd = () => Promise.reject(new Error("changed"));
    await assert.rejects(text(stream(changed, { checkEnd })), /^Error: failed: changed$/);
    assert.equal(changed.closed, 1);
  }
  const unclosed = new File(["one"], () => Promise.reject(new Error("not closed")));
  await assert.rejects(text(stream(unclosed)), /^Error: failed: not closed$/);
});

test("a cancel closes the file, and leaves no listener", async () => {
  const file = new File(["one", "two"]);
  const { signal, listeners } = countedSignal();
  const reader = stream(file, { signal }).getReader();
  await reader.read();
  assert.equal(listeners(), 1);
  await reader.cancel();
  assert.equal(file.closed, 1);
  assert.equal(listeners(), 0);
});

test("an abort ends a read that hangs, with its reason, and closes the file", async () => {
  const reason = new Error("enough");
  const isReason = (error: unknown) => error === reason;
  const hanging = Promise.withResolvers<never>();
  for (const closing of [undefined, () => Promise.reject(new Error("not closed"))]) {
    const asked = Promise.withResolvers<void>();
    const hang = () => {
      asked.resolve();
      return hanging.promise;
    };
    const file = new File(["one", hang], closing);
    const { signal, listeners, abort } = countedSignal();
    const reader = stream(file, { signal }).getReader();
    await reader.read();
    const next = reader.read();
    await asked.promise;
    abort(reason);
    await assert.rejects(next, isReason);
    assert.equal(file.closed, 1);
    assert.equal(listeners(), 0);
  }
  hanging.reject(new Error("closed meanwhile"));
  const early = new File(["one"]);
  await assert.rejects(text(stream(early, { signal: AbortSignal.abort(reason) })), isReason);
  assert.equal(early.closed, 1);
});

const failures = new Failures("file:///folder");
const errno = (code: string) => Object.assign(new Error(`${code}: it broke`), { code });

test("a failure says where it was, and whether it passes", () => {
  const list = (path: string, code: string) => failures.list(path, errno(code)).message;
  for (const code of ["EACCES", "EPERM"]) {
    assert.equal(
      list("/a", code),
      `Cannot list 'file:///folder': '/a': this process may not read it (${code}), which will not pass by itself`,
    );
  }
  assert.match(list("/a", "EIO"), /^Cannot list 'file:\/\/\/folder': '\/a': .*EIO: it broke$/);
  const get = failures.get("k", errno("EIO"));
  assert.match(get.message, /^Cannot get 'k' from 'file:\/\/\/folder': .*EIO: it broke$/);
  assert.equal(get.source, "file:///folder");
  assert(get.cause instanceof Error);
  assert.equal("cause" in failures.of("list", "it is odd"), false);
  const denied = Object.assign(new Error("Requires read access"), { name: "NotCapable" });
  assert.match(failures.list("/a", denied).message, /read access: this will not pass by itself$/);
  assert.match(failures.list("/a", null).message, /^Cannot list 'file:\/\/\/folder': '\/a': /);
  const own = new ExternalError("store", "Cannot do it");
  assert.equal(failures.list("/a", own), own);
  assert.equal(failures.get("k", own), own);
});

test("of a long path the middle is left out", () => {
  const shown = (length: number) => {
    const path = `/${"a".repeat(length - 2)}z`;
    return /': '(.*)': /.exec(failures.list(path, errno("EACCES")).message)?.[1];
  };
  assert.equal(shown(600), `/${"a".repeat(598)}z`);
  assert.equal(shown(601), `/${"a".repeat(199)}…${"a".repeat(199)}z`);
});
