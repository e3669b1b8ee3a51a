// The CLI of the MCP Inspector: the tools' schemas under --strict, each tool that only reads, and
// then each that changes something, with a real account of the simulator, over stdio and HTTP.
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
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

const bob = '15550100123';

// changes calls every tool that changes something, in an order in which each has what it needs, by
// call, which returns the structured result. The account is unlinked on the way and linked again.
async function changes(service, call) {
  const url = 'http://127.0.0.1:1/second', at = { url };
  await call('whatsapp_webhook_register', { ...at, events: ['presence.update'], generateSecret: true });
  await call('whatsapp_webhook_pause', at);
  await call('whatsapp_webhook_resume', at);
  await call('whatsapp_webhook_test', at); // nothing listens there, which is a result
  await call('whatsapp_dead_letter_replay', { ids: [service.letter], dryRun: true });
  await call('whatsapp_dead_letter_purge', { url, dryRun: false });
  await call('whatsapp_webhook_unregister', at);

  const { messageId } = await call('whatsapp_send_text', { jid: bob, text: 'hello' });
  await call('whatsapp_edit_message', { jid: bob, messageId, text: 'good day' });
  await call('whatsapp_delete_message', { jid: bob, messageId });
  await call('whatsapp_send_location', { jid: bob, latitude: 52.5, longitude: 13.4 });
  await call('whatsapp_send_contact', { jid: bob, name: 'Alice', phones: ['491515550100'] });
  const file = path.join(service.files, 'note.txt');
  writeFileSync(file, 'a note');
  await call('whatsapp_send_media', { jid: bob, path: file, mediaType: 'document' });
  const message = JSON.parse((await service.get('/v1/events/' + service.event)).body);
  const { key } = message.data?.messages?.[0] ?? message.data;
  await call('whatsapp_send_reaction', { jid: key.remoteJid, messageId: key.id, emoji: '\u{1F44D}' });
  await call('whatsapp_read_messages', { messageKeys: [{ remoteJid: key.remoteJid, id: key.id }] });
  await call('whatsapp_subscribe_presence', { jid: bob });
  const { ids: [medium] } = JSON.parse((await service.control('POST', '/media', { from: 'Bob', kind: 'document', size: 2048 })).stdout);
  await service.control('GET', '/wait?for=drained');
  await call('whatsapp_download_media', { messageId: medium });

  await call('whatsapp_disconnect', {});
  await call('whatsapp_connect', {});
  await call('whatsapp_disconnect', { logout: true });
  await call('whatsapp_request_pairing_code', { phoneNumber: '491515550100' });
  await call('whatsapp_get_qr_code', { cancel: true });
  const { qrCode } = await call('whatsapp_get_qr_code', {});
  await service.control('POST', '/scan', { qr: qrCode });
  await service.control('POST', '/messages', { from: 'Bob', text: 'hello again' }); // from whom the new link knows of him
  await service.control('GET', '/wait?for=drained');
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
    const call = async (name, args) => {
      const r = await inspect([...target, '--method', 'tools/call', '--tool-name', name, '--tool-args-json', JSON.stringify(args), '--format', 'json']);
      return { r, result: r.code === 0 ? '' : `exit ${r.code}: ${r.stderr.trim()} ${r.stdout.trim()}` };
    };
    const all = JSON.parse(listed.stdout).result.tools;
    results.push(...await Promise.all(all.filter((t) => t.annotations.readOnlyHint).map(async (t) => {
      const has = Object.keys(t.inputSchema.properties ?? {});
      const args = Object.fromEntries(Object.entries(wanted(service)[t.name] ?? {}).filter(([k]) => has.includes(k)));
      const missing = (t.inputSchema.required ?? []).filter((k) => !(k in args));
      if (missing.length) return { name: t.name, over, result: `no argument is known for ${missing}: add it to .ci/mcp/inspector.mjs` };
      return { name: t.name, over, result: (await call(t.name, args)).result };
    })));
    const outcome = new Map(all.filter((t) => !t.annotations.readOnlyHint).map((t) => [t.name, 'it was not called: add it to .ci/mcp/inspector.mjs']));
    try {
      await changes(service, async (name, args) => {
        const { r, result } = await call(name, args);
        if (result || outcome.get(name)) outcome.set(name, result); // of several calls the first that fails counts
        if (result) throw new Error(`${name}: ${result}`);
        return JSON.parse(r.stdout).result.structuredContent;
      });
    } catch (e) {
      results.push({ name: 'the tools that change something', over, result: e.message });
    }
    for (const [name, result] of outcome) results.push({ name, over, result });
  }
  return results;
}
