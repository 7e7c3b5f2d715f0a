// Debian's Chromium, headless, with an empty profile of its own that is removed in the end.
import { chromium, type Browser, type Page } from "playwright-core";

const kFlags = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
  // A name that is this machine, but none that browsers trust as they trust localhost.
  "--host-resolver-rules=MAP phone.test 127.0.0.1",
];

export function launch(): Promise<Browser> {
  return chromium.launch({ executablePath: "/usr/bin/chromium", headless: true, args: kFlags });
}

/** Collects what a page should never say: uncaught errors, and what its CSP refused. */
export function complaintsOf(page: Page): string[] {
  const complaints: string[] = [];
  page.on("pageerror", (error) => complaints.push(`uncaught: ${error.message}`));
  page.on("console", (message) => {
    if (message.text().includes("Content Security Policy")) complaints.push(message.text());
  });
  return complaints;
}
