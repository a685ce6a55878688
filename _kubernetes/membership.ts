/**
 * Decides which sources a replica may poll, from what all replicas have published.
 *
 * Each replica publishes its view: the members that it counts as alive. It polls a source if its own view gives the
 * source to it, and if no other live replica has published a view that gives the source to itself. So a replica that
 * joins waits until the others have let go, and two replicas that see different members never poll the same source:
 *
 * 1. Sources that a new view takes away from this replica are let go at once.
 * 2. The new view is published.
 * 3. Sources that it gives to this replica are polled only once the views of the others were read after that. Of two
 *    replicas that want the same source, at least one reads what the other has published, and waits.
 *
 * Whether another replica is alive is known from its renewals, measured by this replica's own clock: the clocks of
 * others, and clocks that jump, are not used. A replica that could not renew stops before the others may take its
 * sources.
 */
import { Rendezvous } from "./rendezvous.ts";

/** What one replica has published, as it was read. */
export interface Peer {
  readonly id: string;
  /** Changes with every renewal. */
  readonly stamp: string;
  /** The members that it counts as alive. */
  readonly view: readonly string[];
}

interface Seen {
  stamp: string;
  view: Rendezvous;
  /** When the stamp was last seen to change, by this replica's own clock. */
  changedAt: number;
  /** Whether it had renewed in time when it was last read. This never changes between two reads. */
  lives: boolean;
}

/** A replica stops at this share of the lease after its last renewal began; the others wait for the whole lease. */
const SAFE_SHARE = 0.8;

export class Membership {
  readonly #id: string;
  readonly #leaseTime: number;
  readonly #peers: Map<string, Seen> = new Map();
  /** The members that count as alive now. */
  #view: Rendezvous;
  /** The view that was published last, when that was, and whether the others were read after it. */
  #published: Rendezvous | undefined;
  #publishedAt = -Infinity;
  #confirmed = false;
  #safeUntil = -Infinity;
  readonly #held: Set<string> = new Set();

  /**
   * @param id The id of this replica. No other may have the same.
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

  /** Whether the view has to be published before it gives a source to this replica. */
  get mustPublish(): boolean {
    return this.#published === undefined || !this.#published.equals(this.#view);
  }

  /** Until when sources may be polled without another renewal. */
  get safeUntil(): number {
    return this.#safeUntil;
  }

  /**
   * Reads what all replicas have published.
   *
   * @param peers Every replica that was listed, this one included or not.
   * @param askedAt When the listing was asked for.
   * @param now When it was received.
   */
  observe(peers: Iterable<Peer>, askedAt: number, now: number): void {
    const listed = new Set<string>();
    // Nearly all replicas have the same view, so each view is built only once.
    const views = new Map([[this.#view.key, this.#view]]);
    for (const { id, stamp, view } of peers) {
      if (id === this.#id) continue;
      listed.add(id);
      const seen = this.#peers.get(id);
      // A replica that is new here counts as alive: it may have renewed a moment ago.
      if (seen === undefined || seen.stamp !== stamp) {
        const key = JSON.stringify(view);
        const known = views.get(key) ?? new Rendezvous(view);
        views.set(key, known);
        this.#peers.set(id, { stamp, view: known, changedAt: now, lives: true });
      } else {
        seen.lives = now - seen.changedAt < this.#leaseTime;
      }
    }
    // A replica whose Lease is gone has let go of its sources.
    for (const id of this.#peers.keys()) if (!listed.has(id)) this.#peers.delete(id);
    const living = [...this.#peers].filter(([, { lives }]) => lives).map(([id]) => id);
    this.#adopt(new Rendezvous([this.#id, ...living]));
    if (askedAt >= this.#publishedAt && !this.mustPublish) this.#confirmed = true;
  }

  /**
   * The ids of replicas that did not renew for `time` milliseconds, by this replica's clock: their Leases may be
   * deleted.
   */
  expired(now: number, time: number): string[] {
    return [...this.#peers].filter(([, { changedAt }]) => now - changedAt >= time).map(([id]) =>
      id
    );
  }

  /**
   * To be called when this replica's renewal has succeeded.
   *
   * @param view The members that it published.
   * @param askedAt When it was sent.
   * @param now When it was answered.
   */
  renewed(view: readonly string[], askedAt: number, now: number): void {
    const published = new Rendezvous(view);
    // After a gap others may have taken the sources that were held: this replica starts from nothing.
    const lapsed = now >= this.#safeUntil;
    if (lapsed) this.#held.clear();
    this.#safeUntil = askedAt + this.#leaseTime * SAFE_SHARE;
    if (!lapsed && this.#published?.equals(published)) return;
    this.#published = published;
    this.#publishedAt = now;
    this.#confirmed = false;
  }

  /**
   * To be called when this replica's Lease is gone, or held by another: no source is held any more. The next renewal
   * counts as one after a gap.
   */
  lost(): void {
    this.#published = undefined;
    this.#safeUntil = -Infinity;
  }

  /** Whether this replica may poll a source now. */
  owns(source: string, now: number): boolean {
    if (now >= this.#safeUntil) return false;
    if (this.#view.winner(source) !== this.#id) return false;
    if (this.#held.has(source)) return true;
    if (!this.#confirmed) return false;
    for (const [id, { view, lives }] of this.#peers) {
      // A peer with the same view, as nearly always, gives the source to this replica.
      if (lives && !view.equals(this.#view) && view.winner(source) === id) return false;
    }
    this.#held.add(source);
    return true;
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
