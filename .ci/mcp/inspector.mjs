// The CLI of the MCP Inspector: the tools' schemas under --strict, and each tool that only reads,
// over stdio and HTTP.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const cli = fileURLToPath(new URL('./node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js', import.meta.url));

// Arguments of the reading tools that want some.
const wanted = (service) => ({
  whatsapp_find_recipient: { query: 'Bob' },
  whatsapp_event_show: { id: service.event, eventId: service.event, event: service.event },
  whatsapp_wait_for_events: { waitSeconds: 1 },
});

function inspect(args) {
  return new Promise((done) => {
    execFile(process.execPath, [cli, '--cli', ...args], { maxBuffer: 64 << 20, timeout: 180_000 }, (err, stdout, stderr) => {
      done({ code: err ? err.code ?? 1 : 0, stdout, stderr });
    });
  });
}

// runInspector returns [{name, over, result}], result '' for what succeeded.
export async function runInspector(service) {
  const ways = {
    stdio: [service.waoutbox, '--state-dir', service.stateDir, 'mcp'],
    HTTP: ['--transport', 'http', '--server-url', service.url + '/mcp', '--header', 'Authorization: Bearer ' + service.token()],
  };
  const results = [];
  for (const [over, target] of Object.entries(ways)) {
    const listed = await inspect([...target, '--method', 'tools/list', '--strict', '--protocol-era', 'auto', '--format', 'json']);
    const complaints = listed.stderr.split('\n').filter((l) => /error|warning/i.test(l) && !/0 errors?|no (schema )?problems/i.test(l));
    results.push({ name: 'tools/list --strict', over, result: listed.code !== 0 ? `exit ${listed.code}: ${listed.stderr}` : complaints.join('; ') });
    if (listed.code !== 0) continue;
    const tools = JSON.parse(listed.stdout).result.tools.filter((t) => t.annotations.readOnlyHint);
    results.push(...await Promise.all(tools.map(async (t) => {
      const has = Object.keys(t.inputSchema.properties ?? {});
      const args = Object.fromEntries(Object.entries(wanted(service)[t.name] ?? {}).filter(([k]) => has.includes(k)));
      const missing = (t.inputSchema.required ?? []).filter((k) => !(k in args));
      if (missing.length) return { name: t.name, over, result: `no argument is known for ${missing}: add it to .ci/mcp/inspector.mjs` };
      const r = await inspect([...target, '--method', 'tools/call', '--tool-name', t.name, '--tool-args-json', JSON.stringify(args), '--format', 'json']);
      return { name: t.name, over, result: r.code === 0 ? '' : `exit ${r.code}: ${r.stderr || r.stdout}` };
    })));
  }
  return results;
}
