/**
 * Which sources a replica may poll, from what the replicas say of themselves.
 *
 * Each replica publishes the members it counts on, its view. It polls a source that the view gives it, and that no
 * other live replica's published view gives to that one. So a replica that joins waits until the others have let go, and
 * two that see different members never poll the same source:
 *
 * 1. A new view is taken at once for what it takes away.
 * 2. It is published.
 * 3. For what it gives, the views of the others are read after that. Of two replicas that want the same source, at
 *    least one reads what the other has published, and waits.
 *
 * Whether another replica lives is told by its renewals, seen on a clock of one's own: clocks of others, and clocks
 * that jump, are not looked at. A replica that could not renew stops before the others may take its sources.
 */
import { Rendezvous } from "./rendezvous.ts";

/** What one replica says of itself, as it was read. */
export interface Peer {
  readonly id: string;
  /** Changes with every renewal. */
  readonly stamp: string;
  /** The members that it counts on. */
  readonly view: readonly string[];
}

interface Seen {
  stamp: string;
  view: Rendezvous;
  /** When the stamp was last seen to change, on the own clock. */
  changedAt: number;
  /** Whether it had renewed in time when it was last read. Never judged between two readings. */
  lives: boolean;
}

/** A replica stops at this share of the lease after its last renewal began; the others wait for all of it. */
const SAFE_SHARE = 0.8;

export class Membership {
  readonly #id: string;
  readonly #leaseTime: number;
  readonly #peers: Map<string, Seen> = new Map();
  /** The members that count now. */
  #view: Rendezvous;
  /** What was published last, and whether the others were read after that. */
  #published: Rendezvous | undefined;
  #publishedAt = -Infinity;
  #confirmed = false;
  #safeUntil = -Infinity;
  readonly #held: Set<string> = new Set();

  /**
   * @param id This replica. No other may have it.
   * @param leaseTime Milliseconds after which a replica that did not renew has lost its sources.
   */
  constructor(id: string, leaseTime: number) {
    this.#id = id;
    this.#leaseTime = leaseTime;
    this.#view = new Rendezvous([id]);
  }

  /** The members to be published with the next renewal. */
  get view(): readonly string[] {
    return this.#view.members;
  }

  /** Whether the view has to be published before it gives anything. */
  get mustPublish(): boolean {
    return this.#published === undefined || !this.#published.equals(this.#view);
  }

  /** Until when sources may be polled without another renewal. */
  get safeUntil(): number {
    return this.#safeUntil;
  }

  /**
   * Takes in what all replicas say.
   *
   * @param peers Every replica that was listed, this one included or not.
   * @param askedAt When the listing was asked for.
   * @param now When it came.
   */
  observe(peers: Iterable<Peer>, askedAt: number, now: number): void {
    const listed = new Set<string>();
    // Nearly all say the same: what they say is made sense of once.
    const views = new Map([[this.#view.key, this.#view]]);
    for (const { id, stamp, view } of peers) {
      if (id === this.#id) continue;
      listed.add(id);
      const seen = this.#peers.get(id);
      // One that is new here is taken to live: it may have renewed a moment ago.
      if (seen === undefined || seen.stamp !== stamp) {
        const key = JSON.stringify(view);
        const known = views.get(key) ?? new Rendezvous(view);
        views.set(key, known);
        this.#peers.set(id, { stamp, view: known, changedAt: now, lives: true });
      } else {
        seen.lives = now - seen.changedAt < this.#leaseTime;
      }
    }
    // One that is gone has let go, and said so by that.
    for (const id of this.#peers.keys()) if (!listed.has(id)) this.#peers.delete(id);
    const living = [...this.#peers].filter(([, { lives }]) => lives).map(([id]) => id);
    this.#adopt(new Rendezvous([this.#id, ...living]));
    if (askedAt >= this.#publishedAt && !this.mustPublish) this.#confirmed = true;
  }

  /** Ids of replicas that did not renew for so long, on the own clock: their leases may be removed. */
  expired(now: number, time: number): string[] {
    return [...this.#peers].filter(([, { changedAt }]) => now - changedAt >= time).map(([id]) =>
      id
    );
  }

  /**
   * This replica's renewal went through.
   *
   * @param view The members that it published.
   * @param askedAt When it was sent.
   * @param now When it was answered.
   */
  renewed(view: readonly string[], askedAt: number, now: number): void {
    const published = new Rendezvous(view);
    // After a gap others may have taken what was held: this one begins anew.
    const lapsed = now >= this.#safeUntil;
    if (lapsed) this.#held.clear();
    this.#safeUntil = askedAt + this.#leaseTime * SAFE_SHARE;
    if (!lapsed && this.#published?.equals(published)) return;
    this.#published = published;
    this.#publishedAt = now;
    this.#confirmed = false;
  }

  /** This replica's lease is gone, or another's: nothing is held any more. */
  lost(): void {
    this.#held.clear();
    this.#published = undefined;
    this.#confirmed = false;
    this.#safeUntil = -Infinity;
  }

  /** Whether this replica may poll a source now. */
  owns(source: string, now: number): boolean {
    if (now >= this.#safeUntil) {
      this.#held.clear();
      return false;
    }
    if (this.#view.winner(source) !== this.#id) return false;
    if (this.#held.has(source)) return true;
    if (!this.#confirmed) return false;
    for (const [id, { view, lives }] of this.#peers) {
      // One of the same view, as nearly all are at nearly all times, gives it to this one.
      if (lives && !view.equals(this.#view) && view.winner(source) === id) return false;
    }
    this.#held.add(source);
    return true;
  }

  /** Forgets a source that is not watched any more. */
  forget(source: string): void {
    this.#held.delete(source);
  }

  #adopt(view: Rendezvous): void {
    if (view.equals(this.#view)) return;
    this.#view = view;
    this.#confirmed = false;
    for (const source of this.#held) {
      if (view.winner(source) !== this.#id) this.#held.delete(source);
    }
  }
}
