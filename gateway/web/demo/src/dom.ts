// The few things that the views need of the document. Texts are always set as text, never as
// markup: what arrives may come from anyone.
export function byId<T extends Element = HTMLElement>(id: string): T {
  const element = document.getElementById(id);
  if (!element) throw new Error(`no element #${id}`);
  return element as unknown as T;
}

export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K, className: string, ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children);
  return element;
}

/** A setting of this tab that survives a reload, where the browser lets us keep one. */
export function remembered(store: "localStorage" | "sessionStorage", key: string) {
  return {
    get(): string | undefined {
      try {
        return globalThis[store].getItem(key) ?? undefined;
      } catch {
        return undefined;
      }
    },
    set(value: string): void {
      try {
        globalThis[store].setItem(key, value);
      } catch {
        // Kept for this page only.
      }
    },
  };
}
