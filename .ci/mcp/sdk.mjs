// The TypeScript SDKs of both generations, over stdio and HTTP, the second one in both of its ways
// to negotiate.
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport as StdioV1 } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport as HttpV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { Client as ClientV2, StreamableHTTPClientTransport as HttpV2 } from '@modelcontextprotocol/client';
import { StdioClientTransport as StdioV2 } from '@modelcontextprotocol/client/stdio';

function must(ok, what) {
  if (!ok) throw new Error(what);
}

// use does with a client what agents do.
async function use(client, service, asked) {
  const { tools } = await client.listTools();
  must(tools.length > 10 && tools.every((t) => t.annotations && t.title), 'the list of tools');
  const status = await client.callTool({ name: 'whatsapp_connection_status', arguments: {} });
  must(status.structuredContent?.isConnected === true, 'connection_status: ' + JSON.stringify(status));
  const list = await client.callTool({ name: 'whatsapp_webhook_list', arguments: {} });
  must(list.structuredContent?.count === 1, 'webhook_list: ' + JSON.stringify(list));
  const found = await client.callTool({ name: 'whatsapp_find_recipient', arguments: { query: 'Bob' } });
  must(found.structuredContent?.total === 1, 'find_recipient: ' + JSON.stringify(found));
  const bad = await client.callTool({ name: 'whatsapp_webhook_test', arguments: { url: 'wh_none' } });
  must(bad.isError && bad.content[0].text.startsWith('webhook_not_found'), 'an error: ' + JSON.stringify(bad));
  const both = await Promise.all([1, 2, 3, 4].map(() => client.callTool({ name: 'whatsapp_webhook_list', arguments: {} })));
  must(both.every((r) => r.structuredContent?.count === 1), 'four calls at once');
  // Its user declines, so nothing is discarded.
  const purged = await client.callTool({ name: 'whatsapp_dead_letter_purge', arguments: { ids: [service.letter] } });
  must(asked.length === 1 && asked[0] !== '', 'the user was asked: ' + JSON.stringify(asked));
  must(purged.isError && purged.content[0].text.startsWith('approval_declined'), 'what its user declined: ' + JSON.stringify(purged));
  const left = await client.callTool({ name: 'whatsapp_dead_letter_list', arguments: {} });
  must(left.structuredContent?.total === 1, 'dead_letter_list: ' + JSON.stringify(left));
}

const who = { name: 'ts-sdk', version: '1' };
const capabilities = { elicitation: { form: {} } };

export async function runSDKs(service) {
  const stdio = { command: service.waoutbox, args: ['--state-dir', service.stateDir, 'mcp'], stderr: 'ignore' };
  const url = new URL(service.url + '/mcp');
  const headers = () => ({ requestInit: { headers: { Authorization: 'Bearer ' + service.token() } } });
  const decline = (asked) => (req) => {
    asked.push(req.params.message);
    return { action: 'decline' };
  };
  const v1 = (asked) => {
    const c = new ClientV1(who, { capabilities });
    c.setRequestHandler(ElicitRequestSchema, decline(asked));
    return c;
  };
  const v2 = (mode) => (asked) => {
    const c = new ClientV2(who, { capabilities, ...(mode && { versionNegotiation: { mode } }) });
    c.setRequestHandler('elicitation/create', decline(asked));
    return c;
  };
  const results = [];
  for (const [name, make, Stdio, Http] of [
    ['TypeScript SDK 1', v1, StdioV1, HttpV1],
    ['TypeScript SDK 2', v2(), StdioV2, HttpV2],
    ["TypeScript SDK 2, versionNegotiation 'auto'", v2('auto'), StdioV2, HttpV2],
  ]) {
    for (const over of ['stdio', 'HTTP']) {
      const asked = [];
      const client = make(asked);
      let version = '';
      let result = '';
      try {
        const transport = over === 'stdio' ? new Stdio(stdio) : new Http(url, headers());
        if (!client.getNegotiatedProtocolVersion) {
          const told = transport.setProtocolVersion?.bind(transport);
          transport.setProtocolVersion = (v) => { version = v; told?.(v); };
        }
        await client.connect(transport);
        version = client.getNegotiatedProtocolVersion?.() ?? version;
        await use(client, service, asked);
      } catch (e) {
        result = String(e.message ?? e);
      } finally {
        await client.close();
      }
      results.push({ name, over, version, result });
    }
  }
  return results;
}
