// A browser with a new empty profile that asks nobody but the page.
import { chromium } from 'playwright-core';
import { mkdtempSync } from 'node:fs';
import path from 'node:path';

const flags = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];

// newBrowser returns a browser and its one page. Whatever is wrong on any page goes to bad().
export async function newBrowser(dir, executablePath, bad, options = {}) {
  const profile = mkdtempSync(path.join(dir, 'profile-'));
  const context = await chromium.launchPersistentContext(profile, { executablePath, headless: true, args: flags, ...options });
  const page = context.pages()[0];
  page.setDefaultTimeout(30_000);
  const origins = new Set();
  page.on('console', (m) => { if (m.type() === 'error' && !expected(m.text())) bad(`${page.url()}: console: ${m.text()}`); });
  page.on('pageerror', (e) => bad(`${page.url()}: ${e.message}`));
  page.on('dialog', (d) => { bad(`${page.url()}: something ran: ${d.message()}`); d.dismiss(); });
  page.on('request', (r) => origins.add(new URL(r.url()).origin));
  return { context, page, origins, close: () => context.close() };
}

// What the browser itself says of a refusal that is asked for is no fault of a page.
const expected = (text) => /status of 4(01|03|04|22)|ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED|ERR_EMPTY_RESPONSE/.test(text);
