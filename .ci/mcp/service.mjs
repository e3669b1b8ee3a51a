// The program under test: the simulator, the service linked to it with its HTTP listener, and one
// message that arrived.
import { spawn, execFile } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, mkdirSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import { end, program } from '../program.mjs';

const execute = promisify(execFile);

// startService returns how the service is reached, and stop.
export async function startService(dir) {
  const stateDir = path.join(dir, 'state');
  mkdirSync(stateDir, { mode: 0o700 });
  const files = path.join(dir, 'files'); // what may be sent
  mkdirSync(files);
  const wasim = path.join(dir, 'wasim'), waoutbox = path.join(dir, 'waoutbox');
  const started = [];
  const stop = async () => { for (const c of started.reverse()) await end(c); };
  try {
    const sim = await program(wasim, ['--account', '491515550100:Alice', '--contact', 'Bob:15550100123', '--group', 'Team:Bob'], (l) => l.startsWith('{'));
    started.push(sim.child);
    const at = JSON.parse(sim.line);
    const control = (method, route, body) => execute(wasim, ['ctl', '--url', at.control_url, method, route, ...(body ? [JSON.stringify(body)] : [])]);
    const service = await program(waoutbox, ['serve', '--state-dir', stateDir, '--whatsapp-url', at.url, '--whatsapp-root-key', at.root_key, '--http', '127.0.0.1:0',
      '--webhook-policy', 'open', '--mcp-webhook-loopback-http', '--media-dirs', files, '--log-level', 'error'], // the Inspector cannot ask its user
      (l) => l.startsWith('http '));
    started.push(service.child);
    const url = service.line.split(/\s+/)[1];
    const token = () => readFileSync(path.join(stateDir, 'http-token'), 'utf8').trim();
    const get = async (route) => {
      const r = await fetch(url + route, { headers: { Authorization: 'Bearer ' + token() } });
      if (!r.ok) throw new Error(`${route}: ${r.status} ${await r.text()}`);
      return r.json();
    };

    // Linked as a person links it.
    const pair = spawn(waoutbox, ['pair', '--state-dir', stateDir, '--json'], { stdio: ['ignore', 'pipe', 'inherit'] });
    let scanned;
    for await (const line of createInterface({ input: pair.stdout })) {
      const step = JSON.parse(line);
      if (step.step === 'qr' && !scanned) scanned = control('POST', '/scan', { qr: step.qr });
    }
    await scanned;
    await control('POST', '/groups/joined', { group: 'Team' });
    // for what clients subscribe
    await execute(waoutbox, ['webhook', 'allow', '127.0.0.1', '--state-dir', stateDir]);
    // Nothing listens there, so that the message becomes a dead letter at once.
    await execute(waoutbox, ['webhook', 'add', 'http://127.0.0.1:1/hook', '--event', 'message.received', '--schedule', '0s', '--state-dir', stateDir]);
    await control('POST', '/messages', { from: 'Bob', text: 'hello' });
    await control('GET', '/wait?for=drained');
    let letter;
    for (const until = Date.now() + 30_000; !letter && Date.now() < until; await setTimeout(20)) [letter] = (await get('/v1/dead-letters')).items;
    if (!letter) throw new Error('the message did not become a dead letter');
    return { control, waoutbox, stateDir, files, url, token, get, event: letter.event_id, letter: letter.id, stop };
  } catch (e) {
    await stop();
    throw e;
  }
}

// withToken is a proxy for clients that cannot send the token: it adds that, and changes nothing
// else.
export async function withToken(service) {
  const to = new URL(service.url);
  const server = http.createServer((req, res) => {
    const headers = [...req.rawHeaders, 'Authorization', 'Bearer ' + service.token()];
    const up = http.request({ host: to.hostname, port: to.port, path: req.url, method: req.method, headers, setHost: false, agent: false }, (r) => {
      res.writeHead(r.statusCode, r.rawHeaders);
      r.pipe(res);
      r.on('error', () => res.destroy());
    });
    up.on('error', () => res.destroy());
    res.on('close', () => up.destroy());
    req.pipe(up);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { url: `http://127.0.0.1:${server.address().port}`, stop: () => { server.closeAllConnections(); server.close(); } };
}
