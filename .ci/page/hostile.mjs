// Hostile pages in a browser that has a session of the operator's page: on this machine under
// another port (which is the same site, so that cookies are sent), under another name, and under a
// name that leads to the service's own port, as after DNS rebinding. Nothing of the service can be
// read by them, nothing is changed. The same attacks succeed on a server that lets them.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { newBrowser } from './browser.mjs';
import { startWorld, begin } from './world.mjs';
import { attacks } from './attacks.mjs';

const [dir, chromium] = process.argv.slice(2);
const failures = [];
const bad = (text) => { failures.push(text); console.log('WRONG: ' + text); };
const want = (ok, text) => { if (!ok) bad(text); };

// serve serves on this machine.
async function serve(handler) {
  const server = http.createServer(handler);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { port: server.address().port, end: () => { server.closeAllConnections(); server.close(); } };
}

// The page of the attacker, and a server that lets everybody in.
const page = '<!doctype html><title>hostile</title><p>hostile';
const evil = await serve((_, res) => { res.writeHead(200, { 'Content-Type': 'text/html' }); res.end(page); });
let changed = 0;
const open = await serve((req, res) => {
  if (req.method === 'POST') changed++;
  const type = req.url.includes('stream') ? 'text/event-stream' : 'text/plain';
  res.writeHead(200, { 'Content-Type': type, 'Access-Control-Allow-Origin': req.headers.origin ?? '*', 'Access-Control-Allow-Credentials': 'true', 'Access-Control-Allow-Headers': 'content-type, authorization' });
  res.end(type === 'text/plain' ? 'secret of the open server' : 'data: secret of the open server\n\n');
});

// pair links a phone.
async function pair(world, home) {
  const child = spawn(path.join(home, 'waoutbox'), ['pair', '--json'], { stdio: ['ignore', 'pipe', 'inherit'], env: world.env });
  for await (const line of createInterface({ input: child.stdout })) {
    const step = JSON.parse(line);
    if (step.step === 'qr') await world.sim('POST', '/scan', { qr: step.qr });
  }
}

// attack has a page of each origin attack what is at base, and returns what they could read.
async function attack(b, base, paths) {
  const port = new URL(base).port;
  const got = [];
  await Promise.all([`http://127.0.0.1:${evil.port}`, `http://evil.test:${evil.port}`, `http://rebound.test:${port}`, `http://127.0.0.1.rebound.test:${port}`].map(async (origin) => {
    const rebound = origin.includes('rebound.test');
    const tab = await b.context.newPage();
    // the response that came before the name led elsewhere
    if (rebound) await tab.route(origin + '/hostile', (route) => route.fulfill({ contentType: 'text/html', body: page }));
    await tab.goto(origin + '/hostile');
    const target = rebound ? origin : base;
    for (const found of await tab.evaluate(attacks, { target, paths })) got.push({ origin, ...found });
    await tab.close();
  }));
  return got;
}

// held reports whether a hostile page that opens what is at base still holds the window once that
// is there, and once its person has gone on to another page of it.
async function held(b, base, paths) {
  const tab = await b.context.newPage();
  await tab.goto(`http://127.0.0.1:${evil.port}/hostile`);
  const [opened] = await Promise.all([b.context.waitForEvent('page'), tab.evaluate((to) => { window.held = window.open(to); }, base + paths[0])]);
  const got = [];
  for (const at of paths) {
    if (at !== paths[0]) await opened.evaluate((to) => { location.href = to; }, base + at);
    await opened.waitForURL(base + at);
    await opened.waitForLoadState();
    got.push(!(await tab.evaluate(() => window.held.closed)) || await opened.evaluate(() => window.opener !== null));
  }
  await opened.close();
  await tab.close();
  return got;
}

let tried = 0;
for (const extra of [['--http', '127.0.0.1:0'], []]) {
  const home = mkdtempSync(path.join(dir, 'world-'));
  for (const name of ['waoutbox', 'wasim']) copyFileSync(path.join(dir, name), path.join(home, name));
  const world = await startWorld(home, extra);
  const b = await newBrowser(dir, chromium, () => {}, { args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--host-resolver-rules=MAP *.test 127.0.0.1'] });
  try {
    const [{ url: link }] = await world.json('open');
    await b.page.goto(link);
    const root = new URL('/page/', link);
    await b.page.waitForURL(root.href); // by the page's refresh
    await pair(world, home);
    await begin(world);
    const state = async () => JSON.stringify([(await world.json('webhook', 'list')).map((w) => [w.id, w.url, w.status, w.signed, w.events]), (await world.json('audit')).map((r) => r.id), (await world.json('config', 'list')), (await world.json('status'))[0].link.state]);
    const before = await state();
    const [hook] = await world.json('webhook', 'list');
    const paths = ['/page/', `/page/webhooks/${hook.id}`, `/page/webhooks/${hook.id}/remove`, '/page/stream?of=overview', '/page/link/unpair', '/page/assets/page.js', '/v1/status', '/v1/messages', '/mcp', '/metrics'];
    const got = await attack(b, root.origin, paths);
    tried += got.length;
    for (const g of got.filter((g) => g.read)) {
      // a refusal may be read by a page whose name leads here; it says nothing
      const refusal = g.origin.includes('rebound.test') && g.status === 403 && /another host/.test(g.read);
      want(refusal, `${g.how} ${g.path} from ${g.origin} reads ${g.status}: ${JSON.stringify(g.read.slice(0, 300))}`);
    }
    const holds = await held(b, root.origin, ['/page/', `/page/webhooks/${hook.id}`, '/page/events']);
    tried += holds.length;
    want(!holds.includes(true), `a page of another port holds the window that it opened: ${holds}`);
    want(await state() === before, `something was changed:\n${before}\n${await state()}`);
    // the session lives, so that it was there to be used
    const own = await b.page.evaluate(async (u) => { const r = await fetch(u); return [r.status, await r.text()]; }, root.href);
    want(own[0] === 200 && own[1].includes(hook.id), 'the session did not live: ' + own[0]);
    want((await b.context.cookies()).some((c) => c.name.endsWith(root.port)), 'there was no cookie to be used');
    if (extra.length > 0) {
      const open_ = await attack(b, `http://127.0.0.1:${open.port}`, ['/', '/stream']);
      for (const how of ['fetch', 'xhr', 'eventsource']) want(open_.some((g) => g.how === how && g.read?.includes('secret')), `the attack by ${how} fails on a server that lets it`);
      want(!(await held(b, `http://127.0.0.1:${open.port}`, ['/', '/other'])).includes(false), 'no page holds a window of a server that lets it');
      want(changed >= 8, `only ${changed} posts reached a server that lets them`);
    }
  } finally {
    await b.close();
    await world.stop();
  }
}
evil.end();
open.end();
if (failures.length > 0) { console.log(`${failures.length} of ${tried} attacks of hostile pages succeed`); process.exit(1); }
console.log(`hostile pages: ${tried} attacks, nothing was read or changed`);
