// Named timers that cost nothing to push back: a link that is busy pushes its silence timer back
// with every message, which here only moves a deadline. The platform's timer is set anew when it
// fires before it.
export class Timers<Name extends string> {
  readonly #armed = new Map<Name, { deadline: number; firesAt: number; handle: ReturnType<typeof setTimeout> }>();
  readonly #fired: (name: Name) => void;

  constructor(fired: (name: Name) => void) {
    this.#fired = fired;
  }

  arm(name: Name, ms: number): void {
    const deadline = performance.now() + ms;
    const armed = this.#armed.get(name);
    if (armed && armed.firesAt <= deadline) {
      armed.deadline = deadline;
      return;
    }
    clearTimeout(armed?.handle);
    this.#set(name, deadline);
  }

  disarm(name: Name): void {
    clearTimeout(this.#armed.get(name)?.handle);
    this.#armed.delete(name);
  }

  #set(name: Name, deadline: number): void {
    const handle = setTimeout(() => {
      const { deadline } = this.#armed.get(name)!;
      this.#armed.delete(name);
      if (deadline > performance.now()) this.#set(name, deadline);
      else this.#fired(name);
    }, Math.max(0, deadline - performance.now()));
    this.#armed.set(name, { deadline, firesAt: deadline, handle });
  }
}
