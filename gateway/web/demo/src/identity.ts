// Who this tab is: an id of its own for as long as the page is loaded, and a name that survives a
// reload. Names are made of two words, so that a room of tabs reads like a room of people.
const kFirst = [
  "Amber", "Blue", "Clear", "Copper", "Dapper", "Early", "Fair", "Gentle", "Hazel", "Ivory", "Jolly",
  "Keen", "Lucky", "Merry", "Noble", "Olive", "Plucky", "Quiet", "Rosy", "Silver", "Sunny", "Tidy",
];
const kSecond = [
  "Badger", "Curlew", "Dormouse", "Egret", "Finch", "Gannet", "Heron", "Ibis", "Jackdaw", "Kestrel",
  "Lark", "Marten", "Newt", "Otter", "Plover", "Quail", "Robin", "Stoat", "Tern", "Vole", "Wren",
];

export interface Identity {
  id: string;
  name: string;
}

export function inventName(random = Math.random): string {
  const pick = (words: string[]) => words[Math.floor(random() * words.length)]!;
  return `${pick(kFirst)} ${pick(kSecond)}`;
}

/** What a person may be called: one line, not empty, at most 32 characters. */
export function tidyName(name: string): string | undefined {
  return [...name.replace(/[\s\p{C}]+/gu, " ").trim()].slice(0, 32).join("").trim() || undefined;
}

export function initials(name: string): string {
  const words = name.split(" ").filter(Boolean);
  const last = words.length > 1 ? words.at(-1)! : "";
  return [words[0] ?? "?", last].map((word) => [...word][0] ?? "").join("").toUpperCase();
}

/** The same person has the same colour in every tab. */
export function hueOf(id: string): number {
  let hash = 7;
  for (const character of id) hash = (hash * 31 + character.codePointAt(0)!) >>> 0;
  return (hash % 24) * 15;
}
