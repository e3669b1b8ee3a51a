// Takes the receivers out of docs/RECIPES.md and runs each against the program in the directory
// given. See run.
import { createHmac, randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { recipes } from './recipes.mjs';
import { checkSecrets } from './secrets.mjs';
import { Receiver, freePort, startService, until } from './service.mjs';

const [dir, ...words] = process.argv.slice(2);
const names = words.map((w) => w.replace(/^--/, ''));
const began = Date.now();
const document = readFileSync(new URL('../../docs/RECIPES.md', import.meta.url), 'utf8');
const secret = 'whsec_' + randomBytes(32).toString('base64');

// files are the marked blocks of the document.
const files = Object.fromEntries([...document.matchAll(/<!-- recipe: (\S+) -->\n```\w+\n(.*?)\n```/gs)].map(([, name, text]) => [name, text + '\n']));

// checkInstalls wants what the document has a person install to be what is run here.
function checkInstalls() {
  const text = (name) => readFileSync(new URL(name, import.meta.url), 'utf8');
  const ours = { npm: Object.keys(JSON.parse(text('package.json')).dependencies), pip: [...text('requirements.txt').matchAll(/^([\w-]+)==/gm)].map((m) => m[1]) };
  for (const [, by, list] of document.matchAll(/^(npm|pip) install (.+)$/gm)) {
    for (const name of list.split(' ')) must(ours[by].includes(name), `docs/RECIPES.md has ${name} installed with ${by}, which is not what is run here`);
  }
}

// request is what waoutbox sends, with a signature by a secret of ours.
function request(url, body, by) {
  const id = 'evt_' + '0'.repeat(32), at = Math.floor(Date.now() / 1000);
  const key = Buffer.from(by.slice('whsec_'.length), 'base64');
  return fetch(url, { method: 'POST', body, headers: {
    'Content-Type': 'application/json', 'X-Webhook-Id': id, 'X-Webhook-Event': 'connection.update',
    'X-Webhook-Signature': 'sha256=' + createHmac('sha256', by).update(body).digest('hex'),
    'webhook-id': id, 'webhook-timestamp': String(at),
    'webhook-signature': 'v1,' + createHmac('sha256', key).update(`${id}.${at}.${body}`).digest('base64'),
  } });
}

const body = '{"event":"connection.update","timestamp":1735689615417,"data":{"test":true}}';

// must throws what is wrong.
function must(ok, what) {
  if (!ok) throw new Error(what);
}

async function check(recipe, service) {
  const work = path.join(dir, recipe.name);
  mkdirSync(work);
  const port = await freePort();
  const prepared = await recipe.prepare({ work, port, secret, file: (name, as = name) => {
    must(files[name], `docs/RECIPES.md has no block ${name}`);
    writeFileSync(path.join(work, as), files[name]);
  } });
  const receiver = new Receiver({ cwd: work, port, ...prepared, env: { ...prepared.env, WEBHOOK_SECRET: secret },
    ready: async (base) => {
      const response = await request(base + recipe.path, body, secret);
      return response.status === 200 && !(await response.text()).includes('starting up'); // n8n's 200 to whatever comes too early
    } });
  const url = `http://127.0.0.1:${port}${recipe.path}`;
  const write = (text, count = 1) => service.control('POST', '/messages', { from: 'Bob', text, count });
  const arrived = (n) => until(`${n} events at the receiver`, async () => (await receiver.unique()).length >= n);
  try {
    await receiver.start();
    writeFileSync(path.join(dir, 'secret'), secret, { mode: 0o600 });
    await service.run('webhook', 'add', url, '--event', 'message.received', '--secret-file', path.join(dir, 'secret'), '--schedule', recipe.schedule ?? '0s,1s,3s,10s,10s,10s');

    // The signature holds, and no other one.
    const test = await service.run('webhook', 'test', url);
    must(test.includes('200 OK'), `webhook test: ${test}`);
    const forged = await request(url, body, 'whsec_' + randomBytes(32).toString('base64'));
    must(forged.status === 401, `a request signed with another secret is answered ${forged.status}`);
    const mangled = await fetch(url, { method: 'POST', body, headers: { 'Content-Type': 'application/json', 'X-Webhook-Signature': 'ä', 'webhook-id': 'evt_0',
      'webhook-timestamp': String(Math.floor(Date.now() / 1000)), 'webhook-signature': 'v1' } });
    must(mangled.status === 401, `a request whose headers are no signatures is answered ${mangled.status}`);
    const unsigned = await fetch(url, { method: 'POST', body, headers: { 'Content-Type': 'application/json' } });
    must(unsigned.status === 401, `a request without a signature is answered ${unsigned.status}`);

    await write('hello', 5);
    await write('ä<&>\u2028'.repeat(70_000)); // 700 kB
    await arrived(6);

    // Killed while messages come, and started again later: all arrive, in their order.
    await write('before', 10);
    await arrived(8);
    await receiver.kill();
    await write('meanwhile', 10);
    const again = receiver.start();
    await write('while it starts', 5);
    await again;
    await write('after', 5);
    await arrived(36);
    await until('nothing is owed any more', async () => JSON.parse(await service.run('status', '--json')).pending === 0);
    must((await service.run('deadletter', 'list', '--json')).trim() === '', 'there are dead letters');
    const sent = (await service.run('event', 'list', '--event', 'message.received', '--limit', '36', '--json')).trim().split('\n').map((l) => JSON.parse(l).id);
    const order = await receiver.unique();
    must(sent.length === 36 && sent.every((id) => order.includes(id)), 'not every event arrived');
    must(JSON.stringify(sent) === JSON.stringify(order), 'the events of the chat arrived out of order');
    return `36 events, ${receiver.ids.length - 36} repeated`;
  } catch (e) {
    throw new Error(`${e.message}\nthe receiver printed:\n${receiver.log}`);
  } finally {
    await receiver.kill();
    await service.run('webhook', 'remove', url).catch(() => {});
  }
}

checkInstalls();
let failed = 0, left = [];
if (!names.length) {
  const service = await startService(dir, 'secrets');
  try {
    console.log(`secrets: the libraries take ${await checkSecrets(dir, service)} forms`);
  } catch (e) {
    failed++;
    console.error(`secrets: FAILED: ${e.message}`);
  } finally {
    await service.stop();
  }
}
for (const recipe of recipes.filter((r) => (names.length ? names.includes(r.name) : !r.large))) {
  const began = Date.now();
  const missing = await recipe.missing?.();
  if (missing) {
    left.push(`${recipe.name} (${missing})`);
    continue;
  }
  mkdirSync(dir, { recursive: true });
  const service = await startService(dir, recipe.name);
  try {
    console.log(`${recipe.name}: ${await check(recipe, service)} (${Math.round((Date.now() - began) / 1000)} s)`);
  } catch (e) {
    failed++;
    console.error(`${recipe.name}: FAILED: ${e.message}`);
  } finally {
    await service.stop();
  }
}
const took = `${Math.round((Date.now() - began) / 1000)} s`;
if (failed) process.exit(1);
if (left.length) {
  console.log(`NOT RUN: the receivers: ${left.join(', ')}`);
  process.exit(3);
}
console.log(`all receivers got everything (${took})`);
