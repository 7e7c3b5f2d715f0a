// News as they happen: documents followed over a client's subscriptions. They are an economy too:
// a replica that only polls arrives at the same, later.
import type { Peal } from "../peal.ts";
import type { Subscription } from "../subscription.ts";
import type { Position, Publication } from "../types.ts";
import type { Remote } from "./record.ts";

export interface Sink {
  /** What the server has now. */
  heard(remote: Remote): void;
  /** Something may have been missed, or was too large to be sent along: fetch it. */
  stale(): void;
  /** It can't be followed: it is polled only. */
  failed(code: string, message: string): void;
}

export interface Watcher {
  /** Follows `uri`, from `since` if that is known, until the returned function is called. */
  watch(uri: string, since: Position | undefined, sink: Sink): () => void;
  /** Calls `back` whenever the connection is there again. */
  onBack(back: () => void): () => void;
}

export class PealWatcher implements Watcher {
  readonly #peal: Peal;

  constructor(peal: Peal) {
    this.#peal = peal;
  }

  watch(uri: string, since: Position | undefined, sink: Sink): () => void {
    const subscription = this.#subscribe(uri, since);
    subscription.on("message", (publication) => {
      const remote = remoteOf(publication);
      if (remote) sink.heard(remote);
      else sink.stale();
    });
    subscription.on("reset", () => sink.stale());
    const entered = (state: Subscription["state"]) => {
      if (state.name === "subscribed" && state.recovered !== true) sink.stale();
      if (state.name === "closed" && state.error) sink.failed(state.error.code, state.error.message);
    };
    subscription.on("state", entered);
    entered(subscription.state);
    return () => subscription.unsubscribe();
  }

  onBack(back: () => void): () => void {
    return this.#peal.on("state", (state) => {
      if (state.name === "connected") back();
    });
  }

  #subscribe(uri: string, since: Position | undefined): Subscription {
    if (since) {
      try {
        return this.#peal.subscribe(uri, { since });
      } catch (error) {
        if ((error as { code?: string }).code !== "option_invalid") throw error;
        // The application has subscribed it already; then the beginning is fetched.
      }
    }
    return this.#peal.subscribe(uri);
  }
}

/** Undefined where the publication does not carry the value. */
function remoteOf({ position, message, notice, type, ...rest }: Publication): Remote | undefined {
  if (!position) return undefined;
  if (rest.delete) return { is: "deleted", tag: position };
  return notice || type !== undefined ? undefined : { is: "value", tag: position, value: message };
}
