// The extension for events with clients that others wrote: the TypeScript SDK lists, polls, streams
// and aborts; the AI SDK lists, which checks every definition.
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { createMCPClient } from '@ai-sdk/mcp';
import { setTimeout } from 'node:timers/promises';
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
  must(events.length === 6 && events.every((e) => e.inputSchema && e.payloadSchema && e.delivery.includes('push') === streams), 'events/list: ' + JSON.stringify(events));
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
    try {
      client = await createMCPClient({
        transport: { type: 'http', url: url.href, headers },
        experimental_events: { store: { get: async () => undefined, set: async () => {}, delete: async () => {} } },
        ...(discover ? {} : { protocolVersionDiscovery: false }),
      });
      const listed = await client.experimental_events.list();
      must((listed.events ?? listed).length === 6, 'list: ' + JSON.stringify(listed));
    } catch (e) {
      result = String(e.message ?? e);
    } finally {
      await client?.close();
    }
    results.push({ name: 'AI SDK', over: 'HTTP', version: discover ? '2026-07-28' : '2025-11-25', did: 'list', result });
  }
  return results;
}
