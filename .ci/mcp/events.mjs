// The extension for events with clients that others wrote: the TypeScript SDK lists, polls, streams
// and aborts; the AI SDK lists, which checks every definition, and has events sent to its receiver.
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { createMCPClient, experimental_createMCPEventWebhook } from '@ai-sdk/mcp';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import * as z from 'zod';

const anything = z.looseObject({});
const name = 'message.received';

function must(ok, what) {
  if (!ok) throw new Error(what);
}

// until looks until something is so.
async function until(what, look) {
  for (const end = Date.now() + 30_000; Date.now() < end; await setTimeout(20)) {
    const found = await look();
    if (found) return found;
  }
  throw new Error(what + ' did not come');
}

async function use(client, service, streams) {
  const ask = (method, params, options) => client.request({ method, params }, anything, options);
  const { events } = await ask('events/list', {});
  must(events.length === 6 && events.every((e) => e.inputSchema && e.payloadSchema && e.delivery.includes('push') === streams && e.delivery.includes('webhook') === (e.name !== 'presence.update')), 'events/list: ' + JSON.stringify(events));
  let { cursor, truncated } = await ask('events/poll', { name, cursor: null });
  must(truncated === false, 'a poll from now on');
  const write = async (text) => {
    await service.control('POST', '/messages', { from: 'Bob', text });
    return until('the message ' + text, async () => {
      const page = await ask('events/poll', { name, cursor });
      cursor = page.cursor;
      return page.events.find((e) => e.data.preview === text);
    });
  };
  const first = await write('for a poll');
  must(first.eventId.startsWith('evt_') && first.data.type === 'text' && !JSON.stringify(first).includes('messageSecret'), 'an event: ' + JSON.stringify(first));
  const shown = await client.callTool({ name: 'whatsapp_event_show', arguments: { id: first.eventId } });
  must(shown.structuredContent?.event?.id === first.eventId, 'whatsapp_event_show: ' + JSON.stringify(shown));
  await ask('events/poll', { name: 'nonsense' }).then(() => must(false, 'an unknown type'), (e) => must(e.code === -32011, 'an unknown type: ' + e));

  const abort = new AbortController();
  const told = { active: 0, event: [], heartbeat: 0 };
  for (const kind of Object.keys(told)) {
    client.setNotificationHandler('notifications/events/' + kind, { params: anything }, (p) => {
      if (kind === 'event') told.event.push(p.data.preview);
      else told[kind]++;
    });
  }
  const stream = ask('events/stream', { name, cursor }, { signal: abort.signal, timeout: 120_000 });
  if (!streams) {
    await stream.then(() => must(false, 'a stream'), (e) => must(e.code === -32014, 'a stream: ' + e));
    return;
  }
  const ended = stream.then(() => 'ended', () => 'aborted');
  await until('active', () => told.active);
  await write('for a stream');
  await until('the event of the stream', () => told.event.includes('for a stream'));
  abort.abort();
  must(await ended === 'aborted', 'the aborted stream');
  const before = told.event.length;
  await write('after the end');
  must(told.event.length === before, 'events after the end of a stream: ' + told.event);
}

export async function runEvents(service) {
  const url = new URL(service.url + '/mcp');
  const headers = { Authorization: 'Bearer ' + service.token() };
  const results = [];
  for (const mode of [undefined, 'auto']) {
    for (const over of ['stdio', 'HTTP']) {
      const client = new Client({ name: 'ts-events', version: '1' }, { capabilities: {}, ...(mode && { versionNegotiation: { mode } }) });
      let result = '';
      let version = '';
      const streams = over === 'stdio' || mode === 'auto';
      try {
        await client.connect(over === 'stdio'
          ? new StdioClientTransport({ command: service.waoutbox, args: ['--state-dir', service.stateDir, 'mcp'], stderr: 'ignore' })
          : new StreamableHTTPClientTransport(url, { requestInit: { headers } }));
        version = client.getNegotiatedProtocolVersion();
        await use(client, service, streams);
      } catch (e) {
        result = String(e.message ?? e);
      } finally {
        await client.close();
      }
      results.push({ name: 'TypeScript SDK 2', over, version, did: 'list, poll, ' + (streams ? 'stream, abort' : 'a stream is refused'), result });
    }
  }
  for (const discover of [true, false]) {
    let result = '';
    let client;
    const receiver = await startReceiver();
    try {
      client = await createMCPClient({
        transport: { type: 'http', url: url.href, headers },
        experimental_events: { store: receiver.store },
        ...(discover ? {} : { protocolVersionDiscovery: false }),
      });
      await useWebhook(client.experimental_events, service, receiver);
    } catch (e) {
      result = String(e.message ?? e);
    } finally {
      await client?.close();
      receiver.stop();
    }
    results.push({
      name: 'AI SDK', over: 'HTTP', version: discover ? '2026-07-28' : '2025-11-25',
      did: 'list, subscribe a webhook and return its challenge, receive, refresh, unsubscribe, be told of the end', result,
    });
  }
  return results;
}

// startReceiver returns the receiver of the AI SDK on a port of its own, and what came there.
async function startReceiver() {
  const kept = new Map();
  const store = {
    get: async (key) => kept.get(key),
    getById: async (id) => [...kept.values()].find((s) => s.id === id),
    set: async (s) => { kept.set(s.key, s); },
    update: async (key, patch) => { if (kept.has(key)) kept.set(key, { ...kept.get(key), ...patch }); },
    delete: async (key) => { kept.delete(key); },
  };
  const got = { events: [], terminated: 0, errors: [], statuses: [] };
  const handle = experimental_createMCPEventWebhook({
    store,
    onEvent: async ({ event }) => { got.events.push(event); },
    onTerminated: async () => { got.terminated++; },
    onError: (e) => { got.errors.push(String(e)); },
  });
  const server = http.createServer(async (req, res) => {
    const chunks = [];
    for await (const c of req) chunks.push(c);
    const at = `http://127.0.0.1:${server.address().port}${req.url}`;
    const r = await handle(new Request(at, { method: req.method, headers: req.headers, body: Buffer.concat(chunks) }));
    got.statuses.push(r.status);
    res.writeHead(r.status, Object.fromEntries(r.headers));
    res.end(Buffer.from(await r.arrayBuffer()));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { store, got, kept, url: `http://127.0.0.1:${server.address().port}/hook`, stop: () => { server.closeAllConnections(); server.close(); } };
}

// useWebhook has events sent to a receiver, from the subscription to its end, twice.
async function useWebhook(events, service, receiver) {
  const { got } = receiver;
  const listed = await events.list();
  must((listed.events ?? listed).length === 6, 'list: ' + JSON.stringify(listed));
  const subscribe = () => events.subscribe({ name, delivery: { mode: 'webhook', url: receiver.url, allowInsecureLocalhost: true } });
  const leases = async () => (await service.get('/v1/webhooks')).items.filter((w) => w.lease);
  const write = async (text) => {
    const before = got.events.length;
    await service.control('POST', '/messages', { from: 'Bob', text });
    await until('the message ' + text, async () => got.events.length > before);
    const event = got.events.at(-1);
    must(event.eventId.startsWith('evt_') && event.name === name && event.data.type === 'text' && !event.data.preview && !JSON.stringify(event).includes('messageSecret'),
      'an event: ' + JSON.stringify(event));
  };
  const first = await subscribe();
  must(first.id && first.refreshBefore, 'subscribe: ' + JSON.stringify(first));
  const [shown] = await leases();
  must(shown?.lease.principal === 'http-token' && shown.lease.subscription === first.id, 'listed: ' + JSON.stringify(shown));
  await write('for a webhook');
  const again = await events.refresh({ id: first.id });
  must(again.id === first.id && again.truncated === false, 'refresh: ' + JSON.stringify(again));
  await write('after a refresh');
  await events.unsubscribe({ id: first.id });
  must((await leases()).length === 0 && receiver.kept.size === 0, 'unsubscribe');
  await subscribe();
  await write('for another life');
  const [second] = await leases();
  await promisify(execFile)(service.waoutbox, ['webhook', 'remove', second.id, '--yes', '--state-dir', service.stateDir]);
  await until('the end', async () => got.terminated === 1);
  must(got.events.length === 3 && got.errors.length === 0, `events ${got.events.length}, statuses ${got.statuses}, errors ${got.errors}`);
}
