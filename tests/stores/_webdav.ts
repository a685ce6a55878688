// Answers of a WebDAV server that no server at hand gives.
import assert from "node:assert/strict";
import { ExternalError } from "@koprs/external/error";
import type { ObjectMeta } from "@koprs/external/store";
import { WebDavStore, type WebDavStoreOptions } from "@koprs/external/stores/webdav";

export const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

/** What a path answers: a status, a body, or several of them one after the other. */
export type Answer = number | string | readonly string[];

export const file = (href: string, etag = '"1"'): string =>
  `<response><href>${href}</href><propstat><prop><resourcetype/><getcontentlength>1</getcontentlength>${
    etag === "" ? "" : `<getetag>${etag}</getetag>`
  }</prop><status>HTTP/1.1 200 OK</status></propstat></response>`;
export const folder = (href: string): string =>
  `<response><href>${href}</href><propstat><prop><resourcetype><collection/></resourcetype></prop>
  <status>HTTP/1.1 200 OK</status></propstat></response>`;
export const multistatus = (...responses: string[]): string =>
  `<multistatus xmlns="DAV:">${responses.join("")}</multistatus>`;

export function storeOf(
  answers: Record<string, Answer | readonly Answer[]>,
  options: WebDavStoreOptions = {},
): { store: WebDavStore; requests: string[] } {
  const requests: string[] = [];
  const fetch = (input: URL | RequestInfo): Promise<Response> => {
    const { pathname } = new URL(String(input));
    requests.push(pathname);
    let answer = answers[pathname] ?? 404;
    // A list of answers is given one by one, the last one again and again.
    if (Array.isArray(answer)) answer = answer.length > 1 ? answer.shift() : answer[0];
    const init = { status: typeof answer === "number" ? answer : 207 };
    return Promise.resolve(new Response(typeof answer === "number" ? null : String(answer), init));
  };
  return { store: new WebDavStore("http://localhost/dav/", { fetch, ...options }), requests };
}

export async function list(store: WebDavStore, prefix = ""): Promise<ObjectMeta[]> {
  return (await Array.fromAsync(store.list({ prefix }))).flat();
}

export async function keysOf(
  answers: Record<string, Answer | readonly Answer[]>,
): Promise<string[]> {
  return (await list(storeOf(answers).store)).map(({ key }) => key);
}

export function isStoreError(wanted: RegExp, status?: number): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof ExternalError, String(error));
    assert.equal(error.code, "store", error.message);
    assert.equal(error.status, status);
    assert.match(error.message, wanted);
    assert.match(error.message, /^Cannot (list|get|put)/);
    return true;
  };
}
