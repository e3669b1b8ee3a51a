// Measures in a browser how long pages take until something is painted. For each, as medians of so
// many loads: how many times as long as a page of one word, in turns with it; the processor time
// of the page's own thread until then, which other work on the machine changes little; and when the
// last byte was there. BenchmarkFirstPaint calls it.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { newBrowser } from './browser.mjs';

const [chromium, link, loads, ...pages] = process.argv.slice(2);
const dir = mkdtempSync(path.join(tmpdir(), 'paint-'));
const b = await newBrowser(dir, chromium, (text) => { throw new Error(text); });
try {
  await b.page.goto(link);
  const root = new URL('/page/', link).href;
  await b.page.waitForURL(root);
  const cdp = await b.context.newCDPSession(b.page);
  await cdp.send('Performance.enable', { timeDomain: 'threadTicks' });
  const busy = async () => 1000 * (await cdp.send('Performance.getMetrics')).metrics.find((m) => m.name === 'TaskDuration').value;
  const load = async (url) => {
    await b.page.goto('about:blank');
    const before = await busy();
    await b.page.goto(url);
    const [paint, last] = await b.page.evaluate(() => new Promise((done) => {
      new PerformanceObserver((list, o) => {
        const first = list.getEntriesByName('first-contentful-paint')[0];
        if (first) { o.disconnect(); done([first.startTime, performance.getEntriesByType('navigation')[0].responseEnd]); }
      }).observe({ type: 'paint', buffered: true });
    }));
    return { paint, last, busy: (await busy()) - before };
  };
  const urls = { 'one word': 'data:text/html,<p>word', ...Object.fromEntries(pages.map((at) => [at || 'overview', root + at])) };
  const took = Object.fromEntries(Object.keys(urls).map((name) => [name, []]));
  for (let i = 0; i < Number(loads); i++) for (const [name, url] of Object.entries(urls)) took[name].push(await load(url));
  const sorted = (name, of) => took[name].map((t) => t[of]).sort((x, y) => x - y);
  const median = (name, of) => sorted(name, of)[took[name].length >> 1];
  for (const name of Object.keys(urls)) {
    console.log(`${name}: ${(median(name, 'paint') / median('one word', 'paint')).toFixed(2)} of a word's ${Math.round(median('one word', 'paint'))} ms, the quickest after ${Math.round(sorted(name, 'paint')[0])} ms, ${median(name, 'busy').toFixed(0)} ms of processor time, last byte after ${median(name, 'last').toFixed(0)} ms`);
  }
} finally {
  await b.close();
  rmSync(dir, { recursive: true, force: true });
}
