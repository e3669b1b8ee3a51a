// The official conformance suite on the HTTP endpoint: every scenario of a requirement set. A check
// that fails because it wants a tool made for the suite, or a feature that this server does not
// offer and does not announce, is told apart from one that fails.
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const suite = fileURLToPath(new URL('./node_modules/@modelcontextprotocol/conformance/dist/index.js', import.meta.url));

export const sets = ['2025-11-25', '2026-07-28'];

// Why a check cannot succeed here, by what it says.
const reasons = [
  [/tool '?[a-z0-9_]+'? not found|Tool '[a-z0-9_]+' not found|diagnostic tool '|exposes no tool with x-mcp-header|InputRequiredResult with/i, "needs one of the suite's own tools"],
  [/resources not supported|resources\/(read|list) was not exercised/, 'resources are not offered'],
  [/prompts not supported/, 'prompts are not offered'],
  [/completions not supported/, 'completions are not offered'],
  [/logging not supported/, 'logging to clients is not offered'],
  [/tasks?\b.*(not supported|not negotiat|extension)|extension/i, 'tasks, an extension, are not offered'],
];

// runSet returns the scenarios of a set: {name, passed, excused: {reason: count}, failed: [text]}.
// The suite waits for a frame for a time of its own, which a busy machine can pass: a set that
// fails is run once more, and that is printed.
export async function runSet(url, set, dir) {
  const first = await runOnce(url, set, path.join(dir, 'conformance-' + set));
  const failed = first.flatMap((s) => s.failed);
  if (failed.length === 0) return first;
  console.log(`conformance ${set} is run once more, since ${failed.join('; ')}`);
  return runOnce(url, set, path.join(dir, 'conformance-again-' + set));
}

async function runOnce(url, set, out) {
  await new Promise((done) => { // its exit code is that of the checks, which are read below
    execFile(process.execPath, [suite, 'server', '--url', url, '--requirements', set, '--output-dir', out], { maxBuffer: 64 << 20, timeout: 180_000 }, done);
  });
  const scenarios = [];
  for (const entry of readdirSync(out).sort()) {
    const name = entry.replace(/^server-/, '').replace(/-\d{4}-\d\d-\d\dT.*$/, '');
    const s = { name, passed: 0, excused: {}, failed: [] };
    const checks = JSON.parse(readFileSync(path.join(out, entry, 'checks.json'), 'utf8'));
    const extension = name.startsWith('tasks-');
    for (const c of checks) {
      if (c.status === 'SUCCESS') s.passed++;
      if (c.status !== 'FAILURE') continue;
      const text = c.errorMessage ?? c.id;
      const why = extension ? 'tasks, an extension, are not offered' : reasons.find(([pattern]) => pattern.test(text))?.[1];
      if (why) s.excused[why] = (s.excused[why] ?? 0) + 1;
      else s.failed.push(`${c.id}: ${text}`);
    }
    scenarios.push(s);
  }
  return scenarios.sort((a, b) => (a.name < b.name ? -1 : 1));
}
