// Runs all peers against the program in the directory given, prints what fails, and compares the
// table of what came out with docs/MCP-CONFORMANCE.md, or writes it with -update. See run.
import { readFileSync, writeFileSync, existsSync } from 'node:fs';
import { runSet, sets } from './conformance.mjs';
import { runEvents } from './events.mjs';
import { runInspector } from './inspector.mjs';
import { runSDKs } from './sdk.mjs';
import { startService, withToken } from './service.mjs';

const document = new URL('../../docs/MCP-CONFORMANCE.md', import.meta.url);
const [dir, ...flags] = process.argv.slice(2);
const began = Date.now();
const step = (text) => console.log(`== ${text} (after ${Math.round((Date.now() - began) / 1000)} s)`);
const failures = [];
const mark = (r, what) => {
  if (r.result) failures.push(`${what}: ${r.result}`);
  return r.result ? '**fails**' : 'passes';
};

const versions = JSON.parse(readFileSync(new URL('./package.json', import.meta.url))).dependencies;
const lines = [
  '# MCP conformance', '',
  'What others made to test MCP servers, and what it says of this one. `.ci/mcp/run` runs it against the real program and fails',
  'where it comes out otherwise than here; `.ci/mcp/run -update` writes this file.', '',
  '| peer | version |', '|---|---|',
  ...Object.entries(versions).map(([name, v]) => `| \`${name}\` | ${v} |`), '',
  'The client of the official Go SDK drives every tool in `go test ./mcptools ./cmd/internal/e2e`.', '',
];

const service = await startService(dir);
try {
  const proxy = await withToken(service);
  try {
    lines.push('## The official conformance suite', '',
      'On the HTTP endpoint, all scenarios of both requirement sets. This server offers tools, and announces nothing else: scenarios',
      "about prompts, resources, completions and logging, and those that want one of the suite's own tools, cannot pass in full. A",
      'check that fails for any other reason fails the run.', '');
    for (const set of sets) {
      step('conformance, ' + set);
      const scenarios = await runSet(proxy.url + '/mcp', set, dir);
      lines.push(`### ${set}`, '', '| scenario | checks that pass | the others |', '|---|---|---|');
      for (const s of scenarios) {
        const others = [
          ...s.failed.map(() => '**fails**'),
          ...Object.entries(s.excused).sort().map(([why, n]) => `${n}: ${why}`),
        ];
        lines.push(`| \`${s.name}\` | ${s.passed} | ${others.join('; ')} |`);
        failures.push(...s.failed.map((text) => `conformance ${set} ${s.name}: ${text}`));
      }
      lines.push('');
    }
  } finally {
    proxy.stop();
  }
  step('TypeScript SDKs');
  const clients = await runSDKs(service);
  step('events');
  const subscribers = await runEvents(service);
  step('inspector'); // which links the account anew
  const inspected = await runInspector(service);
  lines.push('## MCP Inspector', '', 'Its command line, over stdio (`waoutbox mcp`) and HTTP, on the list of tools and on every tool: those that change something on a linked account of the simulator.', '',
    '| call | stdio | HTTP |', '|---|---|---|');
  for (const name of [...new Set(inspected.map((r) => r.name))]) {
    const [a, b] = ['stdio', 'HTTP'].map((over) => inspected.find((r) => r.name === name && r.over === over) ?? { result: 'absent' });
    lines.push(`| \`${name}\` | ${mark(a, `inspector ${name} over stdio`)} | ${mark(b, `inspector ${name} over HTTP`)} |`);
  }
  lines.push('', '## TypeScript SDKs', '', 'List, results, errors, four calls at once, and a call that asks its user (elicitation), who declines.', '',
    '| client | over | protocol | result |', '|---|---|---|---|');
  for (const r of clients) lines.push(`| ${r.name} | ${r.over} | ${r.version} | ${mark(r, `${r.name} over ${r.over}`)} |`);
  lines.push('', '## The extension for events', '', 'See [MCP-EVENTS.md](MCP-EVENTS.md). The official Go SDK lists and polls in `go test ./mcptools`. The conformance suite has no scenarios for it.', '',
    '| client | over | protocol | what it does | result |', '|---|---|---|---|---|');
  for (const r of subscribers) lines.push(`| ${r.name} | ${r.over} | ${r.version} | ${r.did} | ${mark(r, `${r.name}, events over ${r.over}`)} |`);
} finally {
  await service.stop();
}
step('done');
const text = lines.join('\n') + '\n';
if (flags.includes('-update')) writeFileSync(document, text);
else if (!existsSync(document) || readFileSync(document, 'utf8') !== text) {
  const before = new Set(existsSync(document) ? readFileSync(document, 'utf8').split('\n') : []);
  failures.push('docs/MCP-CONFORMANCE.md says otherwise; read what changed, then run .ci/mcp/run -update:\n' + lines.filter((l) => !before.has(l)).join('\n'));
}
for (const f of failures) console.error('FAIL ' + f);
process.exitCode = failures.length ? 1 : 0;
