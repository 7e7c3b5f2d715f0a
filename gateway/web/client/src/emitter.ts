// Typed listeners. One that throws harms neither the others nor the client: its error is reported
// as uncaught, as for listeners of the DOM.
export class Emitter<Events extends { [name: string]: unknown }> {
  readonly #listeners = new Map<keyof Events, Set<(value: any) => void>>();

  /** Calls `listener` at every `name` event, until the returned function is called. */
  on<Name extends keyof Events>(name: Name, listener: (value: Events[Name]) => void): () => void {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners);
    // Its own function, so that one listener added twice is called twice and removed once.
    const own = (value: Events[Name]) => listener(value);
    listeners.add(own);
    return () => void listeners.delete(own);
  }

  /** @internal */
  emit<Name extends keyof Events>(name: Name, value: Events[Name]): void {
    for (const listener of [...(this.#listeners.get(name) ?? [])]) {
      try {
        listener(value);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
