// The program under test: the simulator, the service linked to it, and receivers that accept,
// refuse, throttle and are gone, so that every state of the page is there.
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { end, program } from '../program.mjs';

const execute = promisify(execFile);

// receiver returns what answer() says: a status, headers, a body.
async function receiver(answer) {
  const server = http.createServer((req, res) => {
    req.resume();
    req.on('end', () => {
      const { status = 200, headers = {}, body = '' } = answer();
      res.writeHead(status, headers);
      res.end(body);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, port: server.address().port };
}

// startWorld starts it all; nothing is linked and no webhook is there.
export async function startWorld(dir, extra = []) {
  // A home of its own: commands and pictures name the usual place of the state.
  const env = { ...process.env, HOME: dir };
  for (const name of Object.keys(env)) if (/^(XDG_|WAOUTBOX_)/.test(name)) delete env[name];
  const wasim = path.join(dir, 'wasim'), waoutbox = path.join(dir, 'waoutbox');
  const started = [], servers = [];
  const world = { env, crm: { status: 503, body: 'upstream connect error or disconnect/reset before headers' } };
  world.stop = async () => {
    for (const c of started.reverse()) await end(c);
    for (const s of servers) { s.closeAllConnections(); s.close(); }
  };
  try {
    const sim = await program(wasim, ['--account', '491515550100:Alice', '--contact', 'Bob:15550100123', '--contact', 'Carol:15550100124', '--group', 'Team:Bob,Carol'], (l) => l.startsWith('{'));
    started.push(sim.child);
    const at = JSON.parse(sim.line);
    world.sim = async (method, route, body) => JSON.parse((await execute(wasim, ['ctl', '--url', at.control_url, method, route, ...(body ? [JSON.stringify(body)] : [])])).stdout || 'null');
    const args = ['serve', '--whatsapp-url', at.url, '--whatsapp-root-key', at.root_key, '--log-level', 'error', ...extra];
    world.serve = async () => {
      const service = await program(waoutbox, args, (l) => l.includes('control.sock ready'), env);
      started.push(service.child);
      world.service = service.child;
    };
    world.end = async () => { started.splice(started.indexOf(world.service), 1); await end(world.service); };
    world.run = async (...args) => (await execute(waoutbox, args, { env })).stdout;
    world.json = async (...args) => (await world.run(...args, '--json')).trim().split('\n').filter(Boolean).map((l) => JSON.parse(l));
    world.link = async () => (await world.run('open', '--print')).trim().split('\n')[0];
    world.until = async (what, fits) => {
      for (const until = Date.now() + 60_000; Date.now() < until; await sleep(50)) {
        const found = await fits();
        if (found) return found;
      }
      throw new Error('it did not come to: ' + what);
    };
    world.hook = async (name, answer, ...args) => {
      const r = await receiver(answer);
      servers.push(r.server);
      const url = `http://127.0.0.1:${r.port}/${name}`;
      const [put] = await world.json('webhook', 'add', url, ...args);
      world[name] = Object.assign(world[name] ?? {}, { id: (put.webhook ?? put).id, url });
      return world[name];
    };
    await world.serve();
    return world;
  } catch (e) {
    await world.stop();
    throw e;
  }
}

// begin adds the first webhook, one that works, and lets a few messages come.
export async function begin(world) {
  world.shop = { got: 0 };
  await world.hook('shop', () => { world.shop.got++; return { status: 200 }; }, '--event', 'message.received', '--event', 'message.update', '--generate-secret');
  await world.sim('POST', '/messages', { from: 'Bob', text: 'hello', count: 3 });
  await world.until('they are delivered', async () => (await world.json('status'))[0].webhooks[0].last_hour?.delivered >= 3);
}

// fill lets every state come to be: webhooks that are active, failing, held and paused, dead
// letters of several reasons, a group, names and texts that are hostile.
export async function fill(world) {
  await world.sim('POST', '/groups/joined', { group: 'Team' });
  await world.hook('hooks/wa?token=made-up', () => world.crm, '--hold-after', '3', '--schedule', '0s', '--header', 'X-Tenant: 1');
  world.crm.id = world['hooks/wa?token=made-up'].id;
  await world.hook('ingest', () => ({ status: 410 }), '--event', 'message.received');
  await world.hook('webhook/support', () => ({ status: 404, body: '{"code":404,"message":"The requested webhook is not registered."}' }), '--event', 'message.received', '--schedule', '0s', '--hold-after', '0');
  await world.hook('slow', () => ({ status: 429, headers: { 'Retry-After': '200' } }), '--event', 'message.received');
  for (const [from, text] of [['Bob', 'Hi! Is order #1042 ready? I can pick it up at 5'], ['Carol', 'receipt <script>alert(1)</script> <img src=x onerror=alert(2)>'],
    ['Bob', '\u202e\u0007 moved "quotes" & \'more\' {{.}} \u2028 ' + 'long '.repeat(200)]]) await world.sim('POST', '/messages', { from, text });
  await world.sim('POST', '/messages', { from: 'Bob', group: 'Team', text: 'in the group' });
  await world.sim('POST', '/media', { from: 'Carol', kind: 'image', size: 48213, caption: 'receipt' });
  await world.sim('POST', '/messages', { from: 'Bob', text: 'number', count: 12 });
  await world.sim('GET', '/wait?for=drained');
  await world.until('one webhook fails, one is paused, one is held, dead letters are there', async () => {
    const [s] = await world.json('status');
    const of = (status) => s.webhooks.some((w) => w.status === status);
    return of('failing') && of('paused') && of('held') && s.dead > 10 && s;
  });
}
