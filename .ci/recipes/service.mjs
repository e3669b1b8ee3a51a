// The program under test, linked to the simulator, and what a receiver of it is: a process that is
// started, prints a line for each event, and is killed.
import { spawn, execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import { end, program } from '../program.mjs';

const execute = promisify(execFile);
const patience = 60_000; // until something that must happen is given up

// until polls a check, which returns what is waited for once it is there.
export async function until(what, check, limit = patience) {
  for (const end = Date.now() + limit; ; await setTimeout(50)) {
    const found = await check();
    if (found) return found;
    if (Date.now() > end) throw new Error(`${what}: not within ${limit / 1000} s`);
  }
}

// startService returns the command line, the simulator's control API, and stop.
export async function startService(dir, name) {
  const stateDir = path.join(dir, 'state-' + name);
  mkdirSync(stateDir, { mode: 0o700 });
  const wasim = path.join(dir, 'wasim'), waoutbox = path.join(dir, 'waoutbox');
  const started = [];
  const stop = async () => { for (const c of started.reverse()) await end(c, 'SIGTERM'); };
  try {
    const sim = await program(wasim, ['--account', '491515550100:Alice', '--contact', 'Bob:15550100123'], (l) => l.startsWith('{'));
    started.push(sim.child);
    const at = JSON.parse(sim.line);
    const control = async (method, route, body) => {
      const args = ['ctl', '--url', at.control_url, method, route];
      // What is long does not fit an argument.
      if (body && JSON.stringify(body).length > 100_000) {
        const r = await fetch(at.control_url + route, { method, body: JSON.stringify(body) });
        if (!r.ok) throw new Error(`${route}: ${r.status} ${await r.text()}`);
        return;
      }
      await execute(wasim, body ? [...args, JSON.stringify(body)] : args);
    };
    const service = await program(waoutbox, ['serve', '--state-dir', stateDir, '--whatsapp-url', at.url, '--whatsapp-root-key', at.root_key, '--log-level', 'error'],
      (l) => l.includes('control.sock ready'));
    started.push(service.child);
    const run = (...args) => execute(waoutbox, [...args, '--state-dir', stateDir]).then((r) => r.stdout, (e) => { throw new Error(`${e.message}\n${e.stdout}`); });

    // Linked as a person links it.
    const pair = spawn(waoutbox, ['pair', '--state-dir', stateDir, '--json'], { stdio: ['ignore', 'pipe', 'inherit'] });
    let scanned;
    for await (const line of createInterface({ input: pair.stdout })) {
      const step = JSON.parse(line);
      if (step.step === 'qr' && !scanned) scanned = control('POST', '/scan', { qr: step.qr });
    }
    await scanned;
    return { run, control, stop };
  } catch (e) {
    await stop();
    throw e;
  }
}

// freePort returns a port that nothing listens at.
export async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

// Receiver runs one command, again and again, at one port. The events that arrived are in what it
// prints, or known to seen.
export class Receiver {
  constructor({ argv, env, cwd, port, ready, seen }) {
    Object.assign(this, { argv, cwd, port, ready, seen, env: { ...process.env, ...env, PORT: String(port) }, ids: [], log: '' });
  }

  async start() {
    const [file, ...args] = this.argv;
    const child = this.child = spawn(file, args, { cwd: this.cwd, env: this.env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    child.on('error', (e) => { this.log += e; });
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        this.log = (this.log + line + '\n').slice(-8192);
        const id = line.match(/\b(evt_[0-9a-f]{32}) message\.received\b/)?.[1];
        if (id) this.ids.push(id);
      });
    }
    await until('the receiver listens', async () => {
      if (child.exitCode !== null) throw new Error(`the receiver ended with ${child.exitCode}: ${this.log}`);
      return (await this.ready(`http://127.0.0.1:${this.port}`).catch(() => false));
    }, 180_000);
  }

  // kill ends it and what it has started, without a chance to finish anything.
  async kill() {
    const { child } = this;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    process.kill(-child.pid, 'SIGKILL');
    await exited;
  }

  // unique are the ids of the events that arrived, in the order of their first arrival.
  async unique() {
    if (this.seen) this.ids = await this.seen();
    return [...new Set(this.ids)];
  }
}
