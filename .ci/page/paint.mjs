// Measures in a browser how long pages take until something is painted: in a new tab, for which a
// browser starts a process, and on the way from the overview, as by a link. For each, as medians of
// so many loads: how many times as long as a page of one word, in turns with it; the processor time
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
  const measure = async (tab, url) => {
    const cdp = await b.context.newCDPSession(tab);
    await cdp.send('Performance.enable', { timeDomain: 'threadTicks' });
    const busy = async () => 1000 * (await cdp.send('Performance.getMetrics')).metrics.find((m) => m.name === 'TaskDuration').value;
    const before = await busy();
    await tab.goto(url);
    const [paint, last] = await tab.evaluate(() => new Promise((done) => {
      new PerformanceObserver((list, o) => {
        const first = list.getEntriesByName('first-contentful-paint')[0];
        if (first) { o.disconnect(); done([first.startTime, performance.getEntriesByType('navigation')[0].responseEnd]); }
      }).observe({ type: 'paint', buffered: true });
    }));
    return { paint, last, busy: (await busy()) - before };
  };
  const inNewTab = async (url) => {
    const tab = await b.context.newPage();
    const took = await measure(tab, url);
    await tab.close();
    return took;
  };
  const fromOverview = async (url) => {
    await b.page.goto(root);
    await b.page.waitForTimeout(300); // its script, and what that begins
    return measure(b.page, url);
  };
  const word = 'data:text/html,<p>word';
  const urls = { 'one word': word, ...Object.fromEntries(pages.map((at) => [at || 'overview', root + at])) };
  const median = (loads, of) => loads.map((t) => t[of]).sort((x, y) => x - y)[loads.length >> 1];
  for (const [where, load] of [['in a new tab', inNewTab], ['from the overview', fromOverview]]) {
    const took = Object.fromEntries(Object.keys(urls).map((name) => [name, []]));
    for (let i = 0; i < Number(loads); i++) for (const [name, url] of Object.entries(urls)) took[name].push(await load(url));
    const unit = median(took['one word'], 'paint');
    for (const [name, of] of Object.entries(took)) {
      console.log(`${where}, ${name}: ${median(of, 'paint').toFixed(0)} ms, ${(median(of, 'paint') / unit).toFixed(2)} times a word, ${median(of, 'busy').toFixed(0)} ms of processor time, last byte after ${median(of, 'last').toFixed(0)} ms`);
    }
  }
} finally {
  await b.close();
  rmSync(dir, { recursive: true, force: true });
}
