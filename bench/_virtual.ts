// A virtual clock, and an API server without a network, for simulations of many replicas in one process.
import type { Cluster } from "@koprs/external/kubernetes";

const realTimeout = globalThis.setTimeout;

interface Timer {
  readonly id: number;
  readonly at: number;
  readonly callback: () => void;
}

/** Replaces `setTimeout` and `performance.now`: time passes only when nothing else is left to do. */
export class VirtualClock {
  now = 0;
  readonly #timers: Timer[] = [];
  readonly #cancelled: Set<number> = new Set();
  #id = 0;

  constructor() {
    const set = (callback: () => void, ms = 0) => this.after(ms, callback);
    const clear = (id?: number) => void (id !== undefined && this.#cancelled.add(id));
    Object.assign(globalThis, { setTimeout: set, clearTimeout: clear });
    Object.defineProperty(performance, "now", { value: () => this.now });
  }

  after(ms: number, callback: () => void): number {
    const timer = { id: ++this.#id, at: this.now + Math.max(ms, 0), callback };
    // A binary heap: there are always about as many timers as replicas, but they come and go quickly.
    const timers = this.#timers;
    let place = timers.push(timer) - 1;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (isBefore(timers[parent] as Timer, timer)) break;
      timers[place] = timers[parent] as Timer;
      place = parent;
    }
    timers[place] = timer;
    return timer.id;
  }

  /** Lets `ms` milliseconds pass. */
  async run(ms: number): Promise<void> {
    const end = this.now + ms;
    for (;;) {
      await settle();
      const next = this.#timers[0];
      if (next === undefined || next.at > end) break;
      this.#take();
      if (this.#cancelled.delete(next.id)) continue;
      this.now = next.at;
      next.callback();
    }
    this.now = end;
  }

  #take(): void {
    const timers = this.#timers;
    const last = timers.pop() as Timer;
    if (timers.length === 0) return;
    let place = 0;
    for (;;) {
      let child = 2 * place + 1;
      if (child >= timers.length) break;
      const right = child + 1;
      if (right < timers.length && isBefore(timers[right] as Timer, timers[child] as Timer)) {
        child = right;
      }
      if (isBefore(last, timers[child] as Timer)) break;
      timers[place] = timers[child] as Timer;
      place = child;
    }
    timers[place] = last;
  }
}

function isBefore(a: Timer, b: Timer): boolean {
  return a.at < b.at || a.at === b.at && a.id < b.id;
}

/** Lets all promises settle. */
function settle(): Promise<void> {
  return new Promise((resolve) => realTimeout(resolve, 0));
}

interface StoredLease {
  readonly metadata: { readonly name: string; resourceVersion: string };
}

/** The Leases of an API server, in memory. Each request takes the latency twice: there and back. */
export class LeaseServer {
  writes = 0;
  lists = 0;
  listedBytes = 0;
  readonly #leases: Map<string, string> = new Map();
  readonly #clock: VirtualClock;
  readonly #latency: number;
  #version = 0;
  #list: string | undefined;

  constructor(clock: VirtualClock, latency: number) {
    this.#clock = clock;
    this.#latency = latency;
  }

  /**
   * How one replica reaches the server. `isAlive` says whether the replica still runs: one that was killed gets no
   * answer.
   */
  clusterFor(isAlive: () => boolean): Cluster {
    const fetch = async (input: URL | RequestInfo, init?: RequestInit) => {
      const url = new URL(String(input));
      await this.#wait(isAlive);
      const answer = this.#answer(url, init?.method ?? "GET", String(init?.body ?? ""));
      await this.#wait(isAlive);
      return answer;
    };
    return { url: "http://api.test", fetch };
  }

  get leases(): number {
    return this.#leases.size;
  }

  #wait(isAlive: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      this.#clock.after(this.#latency, () => {
        if (isAlive()) resolve();
      });
    });
  }

  #answer(url: URL, method: string, body: string): Response {
    const name = url.pathname.split("/leases/")[1];
    if (method === "GET") {
      this.lists++;
      this.#list ??= `{"items":[${[...this.#leases.values()].join(",")}]}`;
      this.listedBytes += this.#list.length;
      return new Response(this.#list);
    }
    this.writes++;
    this.#list = undefined;
    if (method === "DELETE") {
      return new Response("{}", { status: this.#leases.delete(name ?? "") ? 200 : 404 });
    }
    const lease = JSON.parse(body) as StoredLease;
    if (method === "PUT") {
      const stored = this.#leases.get(name ?? "");
      if (stored === undefined) return new Response("{}", { status: 404 });
      const { resourceVersion } = (JSON.parse(stored) as StoredLease).metadata;
      if (lease.metadata.resourceVersion !== resourceVersion) {
        return new Response("{}", { status: 409 });
      }
    }
    lease.metadata.resourceVersion = String(++this.#version);
    const text = JSON.stringify(lease);
    this.#leases.set(lease.metadata.name, text);
    return new Response(text, { status: method === "POST" ? 201 : 200 });
  }
}
