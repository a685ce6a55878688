// G5: sources that change hands between processes, which are frozen, killed and thawed, with their state in MinIO.
import { S3Store } from "@koprs/external/stores/s3";
import { S3 } from "@aws-sdk/client-s3";
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { serve } from "../http/_http_server.ts";
import { randomNumbers } from "../state/_kill.ts";
import type { GroupWorkerLine, GroupWorkerOptions, Item } from "./_group_worker.ts";
import { missingMinio, startMinio } from "./minio.ts";

const skip = await missingMinio() ?? false;
const LEASE = 400;
const HEARTBEAT = 100;
const SOURCES = Array.from({ length: 6 }, (_, i) => `source-${i}`);
const KEYS = 8;
const WORKERS = 3;
const MOVES = 40;

const delay = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

type Told = Extract<GroupWorkerLine, { readonly at: number }>;

/** A process that polls what it is told to. */
class Worker {
  readonly owned: Set<string> = new Set();
  isFrozen = false;
  readonly #child: ChildProcess;
  readonly #heard: Map<number, () => void> = new Map();
  readonly #timer: ReturnType<typeof setInterval>;
  #words = 0;

  constructor(options: GroupWorkerOptions, onTold: (told: Told) => void) {
    const file = fileURLToPath(new URL("./_group_worker.ts", import.meta.url));
    const flags = process.versions.deno === undefined ? [] : ["run", "-A", "--no-check"];
    this.#child = spawn(process.execPath, [...flags, file, JSON.stringify(options)], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    this.#child.stdin?.on("error", () => {}); // It was killed.
    createInterface({ input: this.#child.stdout as NodeJS.ReadableStream }).on("line", (line) => {
      const told: GroupWorkerLine = JSON.parse(line);
      if ("heard" in told) this.#heard.get(told.heard)?.();
      else onTold(told);
    });
    this.#timer = setInterval(() => this.#say(), HEARTBEAT);
  }

  #say(): number {
    // Nothing piles up for one that is frozen: it would hear all of it at once, and late.
    if (this.isFrozen) return this.#words;
    const word = ++this.#words;
    this.#child.stdin?.write(`${JSON.stringify({ word, owned: [...this.owned] })}\n`);
    return word;
  }

  /** Resolves once it has taken in what it owns now. */
  told(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#heard.set(this.#say(), resolve);
    return promise;
  }

  /** Takes a source away. Resolves once it does not poll it any more, be it by itself. */
  async lose(source: string): Promise<void> {
    this.owned.delete(source);
    await (this.isFrozen ? delay(LEASE + 100) : this.told());
  }

  freeze(): void {
    this.isFrozen = true;
    process.kill(this.#child.pid as number, "SIGSTOP");
  }

  thaw(): void {
    process.kill(this.#child.pid as number, "SIGCONT");
    this.isFrozen = false;
  }

  async kill(): Promise<void> {
    clearInterval(this.#timer);
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = new Promise((resolve) => this.#child.once("exit", resolve));
    process.kill(this.#child.pid as number, "SIGKILL");
    await ended;
  }
}

test(
  "G5: three processes that are frozen, killed and thawed lose no change, and tell none back in time",
  { skip, timeout: 110_000 },
  async (t) => {
    const minio = await startMinio();
    const workers: Worker[] = [];
    const reality = new Map(SOURCES.map((source) => [source, new Map<string, number>()]));
    const itemsOf = (source: string): Item[] =>
      [...reality.get(source) ?? []].map(([key, version]) => ({ key, version }));
    const { origin } = await serve(t, (request, response) => {
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify(itemsOf(request.url?.slice(1) ?? "")));
    });
    await minio.createBucket("state");
    const client = {
      endpoint: minio.endpoint,
      region: minio.region,
      credentials: minio.credentials,
      forcePathStyle: true,
    };
    const s3 = new S3(client);
    t.after(async () => {
      for (const worker of workers) await worker.kill();
      s3.destroy();
      await minio.stop();
    });
    assert.equal(new S3Store(s3, "state").name, "s3://state");

    const told: Told[] = [];
    const options = { origin, sources: SOURCES, bucket: "state", client, lease: LEASE };
    const start = () => new Worker(options, (line) => told.push(line));
    while (workers.length < WORKERS) workers.push(start());
    const random = randomNumbers(7);
    const pick = <E>(from: readonly E[]): E => from[Math.floor(random() * from.length)] as E;

    // The world changes all the while.
    let version = 0, changing = true;
    const changes = (async () => {
      while (changing) {
        const items = reality.get(pick(SOURCES)) as Map<string, number>;
        const key = `key ${Math.floor(random() * KEYS)}`;
        if (items.has(key) && random() < 0.3) items.delete(key);
        else items.set(key, ++version);
        await delay(5);
      }
    })();

    const ownerOf = (source: string) => workers.find(({ owned }) => owned.has(source));
    let takeovers = 0;
    const give = async (source: string, to: Worker) => {
      const from = ownerOf(source);
      if (from === to) return;
      await from?.lose(source);
      takeovers++;
      to.owned.add(source);
      if (!to.isFrozen) await to.told();
    };
    for (const source of SOURCES) await give(source, pick(workers));
    for (let move = 0; move < MOVES; move++) {
      await delay(random() * 150);
      const worker = pick(workers);
      const awake = workers.filter(({ isFrozen }) => !isFrozen);
      const kind = random();
      if (kind < 0.3 && !worker.isFrozen && awake.length > 1) worker.freeze();
      else if (kind < 0.5 && worker.isFrozen) worker.thaw();
      else if (kind < 0.6) {
        await worker.kill();
        const other = start();
        workers.splice(workers.indexOf(worker), 1, other);
        for (const source of worker.owned) await give(source, other);
      } else await give(pick(SOURCES), pick(awake.filter((one) => workers.includes(one))));
    }
    changing = false;
    await changes;
    for (const worker of workers) if (worker.isFrozen) worker.thaw();
    for (const source of SOURCES) {
      if (!ownerOf(source)) await give(source, workers[0] as Worker);
    }

    // Replay equals reality, sooner or later.
    const replay = () => {
      const known = new Map(SOURCES.map((source) => [source, new Map<string, number>()]));
      for (const { source, type, item } of told.toSorted((a, b) => a.at - b.at)) {
        const items = known.get(source) as Map<string, number>;
        if (type === "removed") items.delete(item.key);
        else items.set(item.key, item.version);
      }
      return known;
    };
    const sorted = (all: typeof reality) =>
      [...all].map(([source, items]) => [source, [...items].toSorted()]);
    const isReal = () => JSON.stringify(sorted(replay())) === JSON.stringify(sorted(reality));
    for (let i = 0; i < 200 && !isReal(); i++) await delay(50);
    assert.deepEqual(sorted(replay()), sorted(reality));

    const newest = new Map<string, number>();
    let repeated = 0;
    for (const { source, type, item } of told.toSorted((a, b) => a.at - b.at)) {
      if (type === "removed") continue;
      const key = `${source} ${item.key}`;
      const before = newest.get(key) ?? 0;
      assert.ok(item.version >= before, `${key} went back from ${before} to ${item.version}`);
      if (item.version === before) repeated++;
      newest.set(key, item.version);
    }
    t.diagnostic(`${told.length} events, ${takeovers} takeovers, ${repeated} told twice`);
    assert.ok(told.length > 300, `${told.length} events prove little`);
    assert.ok(repeated <= takeovers * KEYS, "at most one delivery for each takeover");
  },
);
