// The bell: it swings, and sounds where the browser and the person allow it. The tone is made
// here, of a few sine waves in the proportions of a small bell, so that there is no file to load.
import { byId, remembered } from "./dom.ts";

const kPartials = [[1, 0.5], [2.01, 0.3], [2.4, 0.22], [3.01, 0.12], [4.2, 0.08]] as const;
const kPitch = 523;
const kSwing = 900;

export class Bell {
  readonly #sound = byId<HTMLButtonElement>("sound");
  readonly #kept = remembered("localStorage", "peal.sound");
  #audio?: AudioContext;
  #swinging?: ReturnType<typeof setTimeout>;

  constructor() {
    this.#setSound(this.#kept.get() !== "off");
    this.#sound.addEventListener("click", () => this.#setSound(!this.#on));
    // Browsers let a page sound only once somebody has touched it.
    for (const event of ["pointerdown", "keydown"]) {
      addEventListener(event, () => (this.#audio ??= new AudioContext()), { once: true });
    }
  }

  ring(): void {
    document.body.classList.remove("ringing");
    void document.body.offsetWidth;  // begins the swing anew
    document.body.classList.add("ringing");
    clearTimeout(this.#swinging);
    this.#swinging = setTimeout(() => document.body.classList.remove("ringing"), kSwing);
    if (this.#on && this.#audio?.state === "running") this.#tone(this.#audio);
  }

  get #on(): boolean {
    return this.#sound.getAttribute("aria-pressed") === "true";
  }

  #setSound(on: boolean): void {
    this.#sound.setAttribute("aria-pressed", String(on));
    this.#kept.set(on ? "on" : "off");
  }

  #tone(audio: AudioContext): void {
    const now = audio.currentTime;
    for (const [ratio, loudness] of kPartials) {
      const gain = audio.createGain();
      gain.gain.setValueAtTime(0, now);
      gain.gain.linearRampToValueAtTime(loudness * 0.3, now + 0.005);
      gain.gain.exponentialRampToValueAtTime(0.0001, now + 2.2 / ratio + 0.3);
      const oscillator = audio.createOscillator();
      oscillator.frequency.value = kPitch * ratio;
      oscillator.connect(gain).connect(audio.destination);
      oscillator.start(now);
      oscillator.stop(now + 3);
    }
  }
}
