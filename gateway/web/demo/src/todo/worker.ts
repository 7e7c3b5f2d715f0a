// Keeps the to-do page's own files, so that it opens without a network: what the gateway has when
// it answers, else what it had last. The list's data are the replica's business, not its own.
export {};

interface FetchEvent extends Event {
  request: Request;
  respondWith(response: Promise<Response>): void;
}

interface ExtendableEvent extends Event {
  waitUntil(work: Promise<unknown>): void;
}

const kCache = "peal-todo";
const kFiles = ["todo.html", "todo.js", "todo.css", "favicon.svg"];
const worker = self as unknown as {
  registration: { scope: string };
  addEventListener(name: "install" | "fetch", listener: (event: any) => void): void;
};

const nameOf = (url: string) => new URL(url).pathname.split("/").at(-1)!;

async function answer(request: Request): Promise<Response> {
  const cache = await caches.open(kCache);
  const name = nameOf(request.url);
  try {
    const response = await fetch(request);
    if (response.ok) await cache.put(name, response.clone());
    return response;
  } catch (error) {
    const kept = await cache.match(name);
    if (!kept) throw error;
    return kept;
  }
}

worker.addEventListener("install", (event: ExtendableEvent) => {
  event.waitUntil(caches.open(kCache).then((cache) => cache.addAll(kFiles)));
});

worker.addEventListener("fetch", (event: FetchEvent) => {
  const { request } = event;
  if (request.method === "GET" && kFiles.includes(nameOf(request.url))) event.respondWith(answer(request));
});
