/** Reads the keys of one folder from the answer of a WebDAV server. */
import { compareKeys } from "../_bytes/order.ts";
import type { ObjectMeta } from "../_diff/object_meta.ts";
import { parseHttpDate } from "../_http/http_date.ts";
import { listedTag } from "./etag.ts";
import type { DavResource } from "./multistatus.ts";
import { below, type DavPlace } from "./webdav_client.ts";

/** Longer hrefs are cut in errors. */
const SHOWN = 300;

/** A folder in a folder. Its key ends with a slash. */
export interface SubFolder extends DavPlace {
  readonly key: string;
}

export type Entry = ObjectMeta | SubFolder;

/** A folder, or the one file that answered in its place. */
export interface FolderAnswer {
  /** Empty, or with a final slash. */
  readonly key: string;
  /** The URL that answered. */
  readonly url: URL;
  /** Whether every request for it went to the client's origin. */
  readonly trusted: boolean;
  readonly resources: readonly DavResource[];
  /** Makes an error from what is wrong. */
  readonly fault: (why: string, status?: number) => Error;
}

/**
 * The files and folders that an answer names in the folder, in the order of their keys. Undefined if it is about a
 * file.
 */
export function entriesOf(answer: FolderAnswer): Entry[] | undefined {
  return new FolderReader(answer).read();
}

class FolderReader {
  readonly #answer: FolderAnswer;
  /** The names in the path of the folder. */
  readonly #names: readonly string[];
  readonly #entries: Map<string, Entry> = new Map();
  #self: DavResource | undefined;

  constructor(answer: FolderAnswer) {
    this.#answer = answer;
    this.#names = this.#namesOf(answer.url.pathname);
  }

  read(): Entry[] | undefined {
    for (const resource of this.#answer.resources) this.#take(resource);
    if (this.#self === undefined) {
      throw this.#answer.fault("the server names what is in the folder, but not the folder");
    }
    if (!this.#self.folder) return undefined;
    return [...this.#entries.values()].sort((a, b) => compareKeys(a.key, b.key));
  }

  #take(resource: DavResource): void {
    const { href, status } = resource;
    const { fault, url } = this.#answer;
    const found = this.#namesOf(pathOf(href));
    const inside = this.#names.every((name, i) => name === found[i]);
    if (!inside || found.length > this.#names.length + 1) {
      throw fault(`asked for ${url.pathname}, the server names ${quote(href)} outside of it`);
    }
    if (status !== undefined && status !== 404 && status !== 410) {
      throw fault(`the server answered ${status} for ${quote(href)}`, status);
    }
    const name = found[this.#names.length];
    if (name === undefined) {
      // A folder may be named twice, with a slash and without: the entry that calls it a folder counts.
      if (this.#self === undefined || resource.folder) this.#self = resource;
    } else if (status === undefined) {
      this.#add(name, resource);
    }
  }

  #add(name: string, resource: DavResource): void {
    const entry = this.#entry(name, resource);
    const other = this.#entries.get(name);
    if (other !== undefined && JSON.stringify(other) !== JSON.stringify(entry)) {
      throw this.#fault(resource, "is listed twice with different properties");
    }
    this.#entries.set(name, entry);
  }

  #entry(name: string, resource: DavResource): Entry {
    if (name.includes("/") || name === "." || name === "..") {
      throw this.#fault(resource, "is not a valid file name, so it has no exact key");
    }
    const key = this.#answer.key + name;
    const { url, trusted } = this.#answer;
    if (resource.folder) return { key: `${key}/`, url: below(url, `${name}/`), trusted };
    const size = this.#sizeOf(resource);
    const lastModified = parseHttpDate(resource.modified ?? null);
    const etag = resource.etag === undefined ? undefined : listedTag(resource.etag);
    if (etag === undefined && lastModified === undefined) {
      if (resource.modified !== undefined) {
        throw this.#fault(resource, "has no ETag, and an invalid time");
      }
      if (size === undefined) {
        throw this.#fault(
          resource,
          "has no size, no ETag and no time, so its changes cannot be detected",
        );
      }
    }
    return {
      key,
      size: size ?? 0,
      ...(etag !== undefined && { etag }),
      ...(lastModified !== undefined && { lastModified }),
    };
  }

  /** Undefined if the server does not know the size, for which some give -1. */
  #sizeOf(resource: DavResource): number | undefined {
    const { length } = resource;
    if (length === undefined || length === "-1") return undefined;
    const size = /^\d+$/.test(length) ? Number(length) : NaN;
    if (Number.isSafeInteger(size)) return size;
    throw this.#fault(resource, "has an invalid size");
  }

  /** The names in a path, decoded. Servers differ in what they encode. */
  #namesOf(path: string): string[] {
    const { fault } = this.#answer;
    // A question mark in a name must be encoded. After one that is not, it is unknown what belongs to the name.
    if (!path.startsWith("/") || /[?#]/.test(path)) throw fault(`${quote(path)} is not a path`);
    try {
      return path.split("/").filter((name) => name !== "").map(decodeURIComponent);
    } catch {
      throw fault(`${quote(path)} is not encoded as UTF-8, so it has no exact key`);
    }
  }

  #fault({ href }: DavResource, why: string): Error {
    return this.#answer.fault(`${quote(href)} ${why}`);
  }
}

/** The path of a href, whichever server it names: behind a proxy the server may not know its own name. */
function pathOf(href: string): string {
  return href.replace(/^[a-z][a-z\d+.-]*:\/\/[^/?#]*/i, "");
}

function quote(href: string): string {
  return JSON.stringify(href.length > SHOWN ? `${href.slice(0, SHOWN)}…` : href);
}
