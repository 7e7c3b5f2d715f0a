// What is said in the room. The newest is kept in sight while the reader is at the end; a reader
// further up is left in peace and offered the way down.
import { byId, make } from "./dom.ts";
import { hueOf, initials } from "./identity.ts";

const kKept = 300;
/** Messages of one person within this time stand together, in ms. */
const kTogether = 60_000;

export class ChatView {
  readonly #log = byId("log");
  readonly #newer = byId<HTMLButtonElement>("newer");
  readonly #self: string;
  #last?: { id: string; at: number };
  /** Whether the reader is at the end, and stays there when the room grows or shrinks. */
  #following = true;

  constructor(self: string) {
    this.#self = self;
    this.#newer.addEventListener("click", () => this.#toEnd());
    this.#log.addEventListener("scroll", () => {
      this.#following = this.#atEnd();
      if (this.#following) this.#newer.hidden = true;
    });
    new ResizeObserver(() => this.#following && this.#toEnd()).observe(this.#log);
  }

  said(id: string, name: string, text: string): void {
    const now = Date.now();
    const joined = this.#last?.id === id && now - this.#last.at < kTogether;
    this.#last = { id, at: now };
    const message = make("div", `message${id === this.#self ? " mine" : ""}${joined ? " joined" : ""}`);
    message.style.setProperty("--hue", String(hueOf(id)));
    const avatar = make("span", "avatar", initials(name));
    avatar.setAttribute("aria-hidden", "true");
    const time = make("time", "", clock(now));
    const author = make("p", "author", make("b", "", id === this.#self ? "You" : name), " ", time);
    message.append(avatar, author, make("p", "text", text));
    this.#append(message);
  }

  /** Something that happened rather than was said. */
  note(text: string, kind: "quiet" | "lost" | "back" | "ring" = "quiet"): void {
    this.#last = undefined;
    this.#append(make("p", `note ${kind}`, text, " ", make("time", "", clock(Date.now()))));
  }

  #append(element: HTMLElement): void {
    const follow = this.#following || element.classList.contains("mine");
    this.#log.querySelector("#log-empty")?.remove();
    this.#log.append(element);
    while (this.#log.childElementCount > kKept) this.#log.firstElementChild!.remove();
    if (follow) this.#toEnd();
    else this.#newer.hidden = false;
  }

  #atEnd(): boolean {
    const { scrollHeight, scrollTop, clientHeight } = this.#log;
    return scrollHeight - scrollTop - clientHeight < 48;
  }

  #toEnd(): void {
    this.#log.scrollTop = this.#log.scrollHeight;
    this.#newer.hidden = true;
  }
}

function clock(at: number): string {
  return new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
}
