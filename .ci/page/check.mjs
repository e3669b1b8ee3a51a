// Tries the page in a browser and prints what is wrong. See run.
import { readFileSync, mkdirSync } from 'node:fs';
import { spawn } from 'node:child_process';
import http from 'node:http';
import { createInterface } from 'node:readline';
import path from 'node:path';
import { createRequire } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';
import { newBrowser } from './browser.mjs';
import { startWorld, begin, fill } from './world.mjs';
import { withoutScript, typedCodeWithoutScript } from './noscript.mjs';
import { replayPauseRemove } from './keyboard.mjs';
import { longAndNarrow, everyChoice, byFinger, tornWords, typedCodeFirst } from './widths.mjs';
import { nobodyLooks } from './aside.mjs';

const [dir, chromium, ...flags] = process.argv.slice(2);
const pictures = flags.includes('-update') ? new URL('../../docs/img/', import.meta.url).pathname : null;
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const began = Date.now();
const failures = [];
const bad = (text) => { failures.push(text); console.log('WRONG: ' + text); };
const want = (ok, text) => { if (!ok) bad(text); };
const step = (text) => console.log(`== ${text} (after ${Math.round((Date.now() - began) / 1000)} s)`);

const world = await startWorld(dir);
const b = await newBrowser(dir, chromium, bad);
const { page } = b;
try {
  if (pictures) mkdirSync(pictures, { recursive: true });
  // picture keeps what is seen, the height of a screen at most.
  const picture = async (name, width = 1280, height = 900) => {
    if (!pictures) return;
    await page.setViewportSize({ width, height });
    await page.evaluate(() => { document.activeElement?.blur(); scrollTo(0, 0); });
    const tall = await page.evaluate(() => document.documentElement.scrollHeight);
    await page.setViewportSize({ width, height: Math.min(tall, width < 500 ? 1400 : 1100) });
    await page.screenshot({ path: path.join(pictures, name + '.png') });
    await page.setViewportSize({ width: 1280, height: 900 });
  };

  step('a link opens one session');
  const link = await world.link();
  const root = new URL('/page/', link).href;
  await page.goto(root);
  want(await page.getByText('No session').isVisible(), 'a browser without a session is shown something else');
  await look('no session');
  await page.goto(link);
  await page.waitForURL(root);
  await page.getByText('Not linked yet').waitFor();
  const [cookie] = await b.context.cookies();
  want(cookie.httpOnly && cookie.sameSite === 'Strict' && cookie.path === '/page/', 'the cookie: ' + JSON.stringify({ ...cookie, value: '' }));
  await refusals(link, cookie);

  step('a phone is linked');
  await page.getByRole('button', { name: 'Show the code' }).click();
  await page.locator('svg.qr').waitFor();
  await page.locator('#tel').fill('+49 151 5550100');
  await page.getByRole('button', { name: 'Get a code' }).click();
  await page.locator('#code8').waitFor();
  want(/^[0-9A-Z]{4}-[0-9A-Z]{4}$/.test(await page.locator('#code8').innerText()), 'the code to type is ' + await page.locator('#code8').innerText());
  want(await page.locator('svg.qr').isVisible(), 'the code to scan is gone beside the one to type');
  await look('link, with codes');
  await typedCodeFirst({ page, want });
  await typedCodeWithoutScript({ dir, chromium, world, bad, want });
  await picture('pair');
  const pair = spawn(path.join(dir, 'waoutbox'), ['pair', '--json'], { stdio: ['ignore', 'pipe', 'inherit'], env: world.env });
  let scanned;
  for await (const line of createInterface({ input: pair.stdout })) {
    const s = JSON.parse(line);
    if (s.step === 'qr') scanned ??= world.sim('POST', '/scan', { qr: s.qr });
  }
  await scanned;
  await page.getByText('The linked account').waitFor(); // by itself
  await begin(world);
  await page.goto(root);
  await page.getByText('All is well').waitFor();
  await look('healthy');
  await picture('healthy');

  step('webhooks of every state come to be');
  await page.goto(root);
  await fill(world);
  await page.locator('#alarms .alarm').nth(2).waitFor(); // by itself, too
  want(/alarms/.test(await page.title()), 'the title is ' + await page.title());

  step('every page, at two widths, light and dark');
  const [letter] = await world.json('deadletter', 'list');
  const crm = root + 'webhooks/' + world.crm.id;
  const paths = { overview: '', webhook: 'webhooks/' + world.crm.id, deadletters: 'deadletters', 'dead letter': 'deadletters/' + letter.id, events: 'events', live: 'live', audit: 'audit', link: 'link',
    'nothing found': 'deadletters?reason=599', 'not understood': 'deadletters?q=nonsense', 'a search': 'events?q=receipt', 'pause?': `webhooks/${world.crm.id}/pause`, 'resume?': `webhooks/${world.crm.id}/resume`, 'remove?': `webhooks/${world.crm.id}/remove`, 'replay?': 'deadletters/replay?all=1',
    'purge?': 'deadletters/purge?all=1', 'send again?': 'events/replay?id=1', 'unlink?': 'link/unpair', 'not there': 'nothing' };
  for (const [name, at] of Object.entries(paths)) {
    await page.goto(root + at);
    await look(name);
  }
  await page.goto(root + 'deadletters/' + letter.id);
  for (const name of ['Show the message content', 'Show the curl command']) await page.getByText(name).click();
  await look('dead letter, opened');
  await pictureSet();

  step('what strangers write is text');
  await page.goto(root + 'events?q=' + encodeURIComponent('<script>'));
  for (const s of await page.getByText('Show').all()) if (await s.isVisible()) await s.click();
  want(await page.getByText('<script>alert(1)</script>').first().isVisible(), 'a hostile text is not shown as it is');
  want(await page.locator('main script, main img').count() === 0, 'a hostile text became elements');
  await page.goto(root + 'events?q=' + encodeURIComponent('moved'));
  for (const s of await page.getByText('Show').all()) if (await s.isVisible()) await s.click();
  want(!/[\u202e\u2028\u0007]/.test(await page.locator('main').innerText()), 'control characters of a message reach the page');
  await page.goto(root + 'deadletters?q=%22%3E%3Cscript%3Ealert(3)%3C/script%3E');
  want(await page.locator('main script').count() === 0, 'what was typed into a filter became an element');

  step('by keyboard alone');
  await keyboard();

  step('names and numbers are hidden');
  await page.goto(root + 'events');
  const beside = await b.context.newPage(); // a tab that was open before
  await beside.goto(root + 'live');
  await beside.locator('#stream').getByText('Bob').first().waitFor();
  await page.bringToFront();
  await page.getByRole('button', { name: 'Hide names and numbers' }).click();
  await page.getByRole('button', { name: 'Hide names and numbers', pressed: true }).waitFor(); // of the page made anew
  await page.waitForFunction(() => document.activeElement.name);
  want(await page.evaluate(() => document.activeElement.name) === 'hide', 'the focus is not where it was');
  await beside.bringToFront();
  await beside.locator('#stream').getByText('•••').first().waitFor();
  want(!/15550100|\bBob\b/.test(await beside.locator('body').innerText()), 'a tab that was open before shows a name');
  await world.sim('POST', '/messages', { from: 'Bob', text: 'while names are hidden' });
  await beside.close();
  await page.bringToFront();
  for (const at of ['', 'events', 'live', 'deadletters', 'deadletters/' + letter.id, 'link', 'audit']) {
    await page.goto(root + at);
    const text = await page.locator('body').innerText();
    want(!/15550100|491515550100|\bBob\b|\bCarol\b|\bAlice\b/.test(text), `a name or a number is seen on ${at || 'overview'}: ${/.{0,30}(15550100|491515550100|\bBob\b|\bCarol\b|\bAlice\b).{0,30}/.exec(text)?.[0]}`);
  }
  await page.getByRole('button', { name: 'Hide names and numbers' }).click();
  await page.getByRole('button', { name: 'Hide names and numbers', pressed: false }).waitFor(); // of the page made anew

  step('it changes by itself');
  await page.goto(root + 'live');
  const newest = () => page.locator('#stream > li').first().getAttribute('id');
  const old = await newest();
  await world.sim('POST', '/messages', { from: 'Carol', text: 'just now' });
  await page.waitForFunction((id) => document.querySelector('#stream > li').id !== id, old);
  await page.locator('#stream > li').first().getByText(/ 200, \d+ ms/).waitFor();
  await page.locator('#stream > li').nth(3).getByText('Show').click(); // somebody reads inside the list
  const top = await page.locator('#stream > li').first().getAttribute('id');
  await world.sim('POST', '/messages', { from: 'Carol', text: 'while somebody reads' });
  await page.getByRole('button', { name: 'Show 1 new event' }).waitFor();
  want(await page.locator('#stream > li').first().getAttribute('id') === top, 'the list moved under its reader');
  await page.getByRole('button', { name: 'Show 1 new event' }).click();
  want(await page.locator('#stream > li').first().getAttribute('id') !== top, 'the held events are not shown');
  await page.goto(root + 'webhooks/' + world.shop.id);
  await world.run('webhook', 'pause', world.shop.id);
  await page.locator('#head').getByText('Paused').waitFor();
  await world.run('webhook', 'resume', world.shop.id);
  await page.locator('#head').getByText('Active').waitFor();

  step('a tab that nobody looks at');
  await nobodyLooks({ b, root, world, want });

  step('a failing endpoint is mended, and its dead letters are replayed');
  await page.goto(crm);
  await page.getByRole('button', { name: 'Test now' }).click();
  await page.getByText('The test was not accepted').waitFor();
  await picture('failing');
  world.crm.status = 200;
  await page.getByRole('button', { name: 'Test now' }).click();
  await page.getByText('The test was accepted').waitFor();
  await world.until('the webhook is active', async () => (await world.json('status'))[0].webhooks.find((w) => w.id === world.crm.id).status === 'active');
  await page.reload();
  await page.getByRole('link', { name: /^Replay \d+…/ }).click();
  const dialog = page.locator('dialog');
  await dialog.getByText(/^Replay \d+ dead letter/).first().waitFor();
  want(await page.evaluate(() => document.activeElement.textContent) === 'Cancel', 'the dialog opens on another button than the harmless one');
  await look('the dialog of a replay');
  const same = async (command) => want((await dialog.locator('[data-same]').innerText()) === `waoutbox deadletter replay --url ${world.crm.id}${command}`, 'the command is ' + await dialog.locator('[data-same]').innerText());
  await same('');
  await dialog.getByLabel('Most per second').fill('1');
  await same(' --rate 1');
  await dialog.getByLabel('Go on after').check();
  await same(' --rate 1 --keep-going');
  await dialog.getByLabel('Go on after').uncheck();
  await same(' --rate 1');
  await dialog.getByRole('button', { name: /^Replay/ }).click();
  await page.locator('#replays progress').waitFor();
  await picture('replay');
  await look('a replay under way');
  await world.run('deadletter', 'replay', '--stop', '--url', world.crm.id).catch(() => {});
  await page.locator('#replays .alarm').first().waitFor({ timeout: 60_000 });

  step('dead letters are selected and purged');
  await page.goto(root + 'deadletters');
  const before = (await world.json('status'))[0].dead;
  const others = page.locator('#letters tbody tr').filter({ hasNotText: '410 Gone' });
  for (const n of [0, 1]) await others.nth(n).locator('.tick input').check();
  want((await page.locator('[data-picked]').first().innerText()) === '2', 'the bar counts something else than the selection');
  await page.getByRole('button', { name: 'Purge 2…' }).click();
  await dialog.getByText('Delete 2 dead letters for good?').waitFor();
  await page.keyboard.press('Escape');
  want(!await dialog.isVisible(), 'Escape does not close the dialog');
  want((await page.evaluate(() => document.activeElement.textContent)).startsWith('Purge 2'), 'the focus does not return to the button');
  await page.keyboard.press('Enter');
  await dialog.getByRole('button', { name: 'Delete 2 for good' }).click();
  await page.getByText('Deleted 2 dead letters').waitFor();
  want((await world.json('status'))[0].dead === before - 2, 'there are not two less');

  const gone = page.locator('#reasons tr').filter({ hasText: '410 Gone' });
  const asks = gone.getByRole('link', { name: /^Purge \d+…/ });
  const n = Number(/\d+/.exec(await asks.innerText())[0]); // as many as were on their way at once
  await asks.click();
  await dialog.getByText(`all ${n} of: `).waitFor();
  want(/--reason 410 --until \d{4}-\d\d-\d\dT[\d:.]+Z --yes$/.test(await dialog.locator('[data-same]').innerText()), 'the command is ' + await dialog.locator('[data-same]').innerText());
  await dialog.getByRole('button', { name: `Delete ${n} for good` }).click();
  await page.getByText(`Deleted ${n} dead letter`).waitFor();
  want((await world.json('status'))[0].dead === before - 2 - n, 'more than the group is gone');
  await page.locator('#reasons').getByRole('link', { name: /^\d+$/ }).first().click();
  await page.waitForURL(/reason=/); // which is known before the rows are there
  want(/url=wh_.*reason=|reason=.*url=wh_/.test(page.url()), 'a reason leads to ' + page.url());
  await page.locator('#letters tbody tr').first().waitFor();

  step('a secret is rotated, and shown once');
  await page.goto(root + 'webhooks/' + world.shop.id);
  await page.getByRole('link', { name: 'Rotate secret…' }).click();
  await dialog.getByRole('button', { name: 'Make a new secret' }).click();
  const secret = await page.locator('#new-secret').innerText();
  want(/^whsec_/.test(secret), 'the new secret is ' + secret.slice(0, 6));
  await look('a new secret');
  await page.reload();
  want(!(await page.content()).includes(secret), 'the secret is shown again');

  step('the back button, a reload, a refusal');
  await page.getByRole('link', { name: 'Audit', exact: true }).click();
  await page.waitForURL(/audit/);
  await page.goBack();
  await page.getByRole('link', { name: 'End the rotation…' }).waitFor();
  want(!(await page.content()).includes(secret), 'the back button shows the secret again');
  await page.getByRole('button', { name: 'Test now' }).click();
  await page.getByText('The test was accepted').waitFor();
  want(await page.evaluate(() => document.activeElement.id) === 'notice', 'how an action ended has not the focus');
  const got = world.shop.got;
  await page.reload();
  want(world.shop.got === got && await page.locator('#notice').count() === 0, 'a reload does it again');
  await page.goto(root + 'deadletters');
  await page.locator('#letters tbody .tick input').first().check();
  await page.getByRole('button', { name: 'Replay 1…' }).click();
  await dialog.getByLabel('Most per second').evaluate((e) => { e.type = 'text'; e.value = 'fast'; });
  await dialog.getByRole('button', { name: 'Replay 1' }).click();
  await dialog.getByText('is no rate').waitFor();
  want(await page.evaluate(() => document.activeElement.getAttribute('role')) === 'alert', 'a refusal has not the focus');

  step('a replay, a pause and a removal by keyboard alone');
  await replayPauseRemove({ page, root, world, want });

  step('long names and addresses, narrow and wide screens, fingers');
  await longAndNarrow({ page, root, world, bad, paths: Object.values(paths) });
  await everyChoice({ page, root, world, bad });
  await byFinger({ dir, chromium, world, bad });

  step('without script');
  await withoutScript({ dir, chromium, world, bad, want });

  step('a session ends');
  await page.goto(root);
  await page.goto(await world.link());
  await page.waitForURL(root);
  const last = await b.context.newPage();
  await last.goto(root + 'live');
  await last.waitForFunction(() => document.querySelector('#icon')); // its stream is asked for
  await page.bringToFront();
  await page.getByRole('button', { name: 'End the session' }).click();
  await page.getByText('The session has ended').waitFor();
  await last.bringToFront();
  await last.getByText('No session').waitFor(); // by itself
  await last.close();
  await page.goto(await world.link());
  await page.waitForURL(root);

  step('the service goes away');
  await page.goto(root);
  await page.evaluate(() => document.querySelector('main')); // it is loaded
  await sleep(500);
  await page.goto(root + 'webhooks/' + world.shop.id);
  await page.getByRole('link', { name: 'Pause…' }).click();
  await dialog.getByText('Nothing more is sent').waitFor();
  await world.end();
  await dialog.getByRole('button', { name: 'Pause' }).click();
  await dialog.getByText('no connection to waoutbox').waitFor();
  await page.keyboard.press('Escape');
  await page.locator('.stale').waitFor();
  want(/^No connection/.test(await page.title()), 'the title is ' + await page.title());
  want(/No connection to waoutbox/.test(await page.locator('#stream-state').innerText()), 'the strip says something else');
  for (const o of b.origins) want(o === new URL(root).origin || o === 'null', 'something was asked of ' + o);

  // look checks what is seen now: at two widths, light and dark.
  async function look(name) {
    for (const [width, height] of [[1280, 900], [390, 844]]) {
      for (const colorScheme of ['light', 'dark']) {
        await page.setViewportSize({ width, height });
        await page.emulateMedia({ colorScheme });
        const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        const small = await page.evaluate(() => [...document.querySelectorAll('body *')].find((e) => [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()) && e.checkVisibility() && parseFloat(getComputedStyle(e).fontSize) < 14)?.outerHTML.slice(0, 100));
        if (small) bad(`${name} at ${width}: smaller than 14 px: ${small}`);
        const squeezed = await page.evaluate(() => [...document.querySelectorAll('input[type=checkbox]')].find((e) => e.checkVisibility() && e.getBoundingClientRect().width < 18)?.outerHTML.slice(0, 100));
        if (squeezed) bad(`${name} at ${width}: squeezed: ${squeezed}`);
        if (over > 0) {
          const what = await page.evaluate(() => [...document.querySelectorAll('body *')].filter((e) => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest('.vh')).slice(0, 2).map((e) => e.outerHTML.slice(0, 100)));
          bad(`${name} at ${width}: ${over} px wider than the screen: ${what.join(' | ')}`);
        }
        if (colorScheme === 'light') for (const word of await tornWords(page)) bad(`${name} at ${width}: a command is torn: ${word}`);
        await accessible(`${name} at ${width}, ${colorScheme}`, colorScheme === 'dark' ? ['color-contrast'] : null);
      }
    }
    await page.setViewportSize({ width: 1280, height: 900 });
    await page.emulateMedia({ colorScheme: 'light' });
  }

  // accessible runs axe-core beside the page, which its content policy would not let load it.
  // Only the colours differ in the dark.
  async function accessible(name, rules) {
    if (!await page.evaluate(() => 'axe' in window)) await page.evaluate(axe + ';0');
    const found = await page.evaluate((only) => axe.run(document, { resultTypes: ['violations'], ...(only && { runOnly: only }) }), rules);
    for (const v of found.violations) {
      if (v.impact === 'serious' || v.impact === 'critical') bad(`${name}: ${v.id} (${v.impact}): ${v.nodes.slice(0, 2).map((n) => n.html.slice(0, 160)).join(' | ')}`);
    }
  }

  // keyboard walks over all that can have the focus: each shows it, and has a name.
  async function keyboard() {
    await page.goto(root);
    await page.keyboard.press('Tab');
    want(await page.evaluate(() => document.activeElement.className) === 'skip', 'the first stop is not the skip link');
    await page.keyboard.press('Enter');
    want(await page.evaluate(() => document.activeElement.id) === 'main', 'the skip link leads elsewhere');
    for (const at of ['', 'deadletters', 'webhooks/' + world.crm.id, 'events']) {
      await page.goto(root + at);
      const count = await page.evaluate(() => {
        window.stops = [...document.querySelectorAll('a[href], button, input:not([type=hidden]), select, summary, [tabindex="0"]')].filter((e) => !e.disabled && e.checkVisibility());
        window.walked = new Set();
        return window.stops.length;
      });
      for (let i = 0; i < count + 20; i++) {
        await page.keyboard.press('Tab');
        const at = await page.evaluate(() => {
          const e = document.activeElement, s = getComputedStyle(e), r = e.getBoundingClientRect();
          if (e === document.body) return null;
          const name = (e.getAttribute('aria-label') || e.textContent || e.labels?.[0]?.textContent || '').trim();
          window.walked.add(e);
          return { name, seen: s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2, in: r.bottom > 0 && r.top < innerHeight, tag: e.outerHTML.slice(0, 80) };
        });
        if (!at) continue;
        want(at.name !== '', `without a name: ${at.tag}`);
        want(at.seen, `the focus is not seen on ${at.tag}`);
        want(at.in, `out of sight with the focus: ${at.tag}`);
      }
      // what went away meanwhile, with an alarm that is over for example, could not be reached
      const missed = await page.evaluate(() => window.stops.filter((e) => e.isConnected && !e.disabled && e.checkVisibility() && !window.walked.has(e)).map((e) => e.outerHTML.slice(0, 120)));
      want(missed.length <= 1, `${at || 'overview'}: of ${count} the keyboard does not reach ${missed.join(', ')}`);
      want(count > missed.length + 10, `${at || 'overview'}: only ${count} can be reached`);
    }
    // a dialog: opens on the harmless button, Escape closes it, the focus returns
    await page.goto(crm);
    await page.getByRole('link', { name: 'Pause…' }).focus();
    await page.keyboard.press('Enter');
    await page.locator('dialog').getByText('Nothing more is sent').waitFor();
    want(await page.evaluate(() => document.activeElement.textContent) === 'Cancel', 'the dialog opens elsewhere');
    await page.keyboard.press('Escape');
    want(await page.evaluate(() => document.activeElement.textContent) === 'Pause…', 'the focus does not return');
  }

  async function pictureSet() {
    if (!pictures) return;
    await page.setViewportSize({ width: 390, height: 844 }); // a filter folds where a page is loaded at that width
    await page.goto(root + 'deadletters');
    await picture('dead-letters-phone', 390, 844);
    await page.goto(root);
    await picture('overview');
    await picture('overview-phone', 390, 844);
    await page.emulateMedia({ colorScheme: 'dark' });
    await picture('overview-dark');
    await page.emulateMedia({ colorScheme: 'light' });
    await page.goto(root + 'deadletters');
    await picture('dead-letters');
    await page.goto(root + 'live');
    await picture('live');
  }

  // refusals: what a page of another site, or another program, would try.
  async function refusals(link, cookie) {
    const at = new URL(link);
    const ask = (method, path, headers = {}, body = '') => new Promise((done, failed) => {
      const r = http.request({ host: at.hostname, port: at.port, method, path, headers: { ...headers, ...(body && { 'Content-Type': 'application/x-www-form-urlencoded', 'Content-Length': body.length }) } }, (res) => {
        let text = '';
        res.on('data', (d) => { text += d; }).on('end', () => done({ status: res.statusCode, headers: res.headers, text }));
      });
      r.on('error', failed);
      r.end(body);
    });
    const mine = { Cookie: `${cookie.name}=${cookie.value}` };
    const expect = async (what, status, ...request) => { const r = await ask(...request); want(r.status === status, `${what}: ${r.status}, and not ${status}`); return r; };
    await expect('a used link', 401, 'GET', at.pathname + at.search);
    await expect('no session', 401, 'GET', '/page/deadletters');
    await expect('another host', 403, 'GET', '/page/', { ...mine, Host: 'attacker.example' });
    await expect('another host, with this port', 403, 'GET', '/page/', { ...mine, Host: 'attacker.example:' + at.port });
    const ok = await expect('the session', 200, 'GET', '/page/', mine);
    want(/default-src 'none'/.test(ok.headers['content-security-policy']) && !/unsafe/.test(ok.headers['content-security-policy']), 'the content policy is ' + ok.headers['content-security-policy']);
    want(ok.headers['cache-control'] === 'no-store' && ok.headers['x-frame-options'] === 'DENY', 'headers are missing');
    want(!/<script(?![^>]*src)|\sstyle=|\son\w+=/.test(ok.text), 'there is script or style in the page itself');
    const csrf = /name="csrf" value="([^"]+)"/.exec(ok.text)[1];
    const origin = { Origin: at.origin };
    await expect('a form without its token', 403, 'POST', '/page/settings', { ...mine, ...origin }, 'hide=1');
    await expect('a form of no origin', 403, 'POST', '/page/settings', mine, 'hide=1&csrf=' + csrf);
    await expect('a form of another origin', 403, 'POST', '/page/settings', { ...mine, Origin: 'http://attacker.example' }, 'hide=1&csrf=' + csrf);
    await expect('a form of another port', 403, 'POST', '/page/settings', { ...mine, Origin: 'http://127.0.0.1:1' }, 'hide=1&csrf=' + csrf);
    await expect('a form by GET', 404, 'GET', '/page/settings?hide=1&csrf=' + csrf, mine);
    const back = await expect('a form that leads elsewhere', 303, 'POST', '/page/settings', { ...mine, ...origin }, 'hide=0&back=//attacker.example/&csrf=' + csrf);
    want(back.headers.location === '/page/', 'it leads to ' + back.headers.location);
    for (const p of ['/v1/status', '/mcp', '/metrics', '/page/assets/..%2f..%2ftemplates%2flayout.html', '/']) await expect(p, 404, 'GET', p, mine);
  }
} catch (e) {
  bad(e.stack);
} finally {
  await b.close();
  await world.stop();
}
console.log(failures.length ? `${failures.length} things are wrong` : 'the page is as it should be');
process.exit(failures.length ? 1 : 0);
