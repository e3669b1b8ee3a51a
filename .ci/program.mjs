// Programs that the checks start: each with the first line it prints that fits, and its end.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';

// program starts a program and returns it with the first line it prints that fits.
export async function program(file, args, fits, env) {
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'], env });
  let log = '';
  child.stderr.on('data', (b) => { log = (log + b).slice(-8192); });
  const ended = once(child, 'exit').then(([code]) => { throw new Error(`${path.basename(file)} ended with ${code}: ${log}`); });
  ended.catch(() => {}); // one that was ended by us is no failure
  const line = await Promise.race([ended, (async () => {
    for await (const line of createInterface({ input: child.stdout })) if (fits(line)) return line;
    throw new Error(`${path.basename(file)} did not start: ${log}`);
  })()]);
  child.stdout.resume();
  return { child, line };
}

// end ends a program that still runs, and waits for it.
export async function end(child, signal = 'SIGTERM') {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill(signal);
  await exited;
}
