// Whether the libraries take the secrets that docs/RECIPES.md says they take.
import { createHmac, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import * as standard from 'standardwebhooks';
import * as svix from 'svix';

const forms = {
  'whsec_ and base64': { secret: 'whsec_' + randomBytes(32).toString('base64') },
  'any other text': { secret: 'a secret, made up: äöü-0123456789', raw: true },
  'base64 without whsec_': { secret: randomBytes(24).toString('base64'), raw: true },
};

// checkSecrets throws what does not hold, and returns how many forms there are.
export async function checkSecrets(dir, service) {
  let request;
  const server = http.createServer(async (req, res) => {
    const chunks = [];
    for await (const chunk of req) chunks.push(chunk);
    request = { headers: req.headers, body: Buffer.concat(chunks).toString() };
    res.end();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${server.address().port}/`;
  try {
    for (const [name, { secret, raw }] of Object.entries(forms)) {
      writeFileSync(path.join(dir, 'secret'), secret, { mode: 0o600 });
      await service.run('webhook', 'add', url, '--secret-file', path.join(dir, 'secret'));
      await service.run('webhook', 'test', url);
      for (const { Webhook } of [standard, svix]) {
        // What the libraries call raw takes the text's characters as bytes: those of UTF-8 are given.
        const webhook = raw ? new Webhook(Buffer.from(secret), { format: 'raw' }) : new Webhook(secret);
        webhook.verify(request.body, request.headers);
      }
      const want = 'sha256=' + createHmac('sha256', secret).update(request.body).digest('hex');
      if (request.headers['x-webhook-signature'] !== want) throw new Error(`${name}: X-Webhook-Signature differs`);
    }
  } finally {
    server.closeAllConnections();
    server.close();
    await service.run('webhook', 'remove', url).catch(() => {});
  }
  return Object.keys(forms).length;
}
