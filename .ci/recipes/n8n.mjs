// How n8n is started with the workflow of docs/RECIPES.md, and which events it took. Its database
// driver is compiled here: n8n's package fetches it from a place that a registry is not.
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const execute = promisify(execFile);
const packages = path.join(path.dirname(fileURLToPath(import.meta.url)), 'n8n/node_modules');
const driver = path.join(packages, 'sqlite3/build/Release/node_sqlite3.node');

// missing compiles the driver the first time. It says what keeps n8n from running, '' for nothing.
async function missing() {
  if (!existsSync(path.join(packages, 'n8n'))) return 'its packages are not there: .ci/recipes/run --n8n';
  if (existsSync(driver)) return '';
  // The driver needs no more than Node-API, whose headers are those of any version.
  const { stdout } = await execute('npm', ['root', '-g']);
  return execute(process.execPath, [path.join(stdout.trim(), 'npm/node_modules/node-gyp/bin/node-gyp.js'), 'rebuild', '--nodedir=/usr'],
    { cwd: path.join(packages, 'sqlite3'), maxBuffer: 1 << 26 }).then(() => '', (e) => `its database driver cannot be compiled: ${e.message.slice(-500)}`);
}

export const n8n = {
  name: 'n8n', path: '/webhook/whatsapp', large: true, missing,
  // it takes half a minute to start, and more on a busy machine
  schedule: '0s,1s,3s,10s,15s,20s,20s,20s,20s,20s',
  async prepare({ work, file, port, secret }) {
    file('workflow.json');
    writeFileSync(path.join(work, 'credentials.json'), JSON.stringify([{ id: 'waoutboxSecret', name: 'waoutbox', type: 'crypto', data: { hmacSecret: secret } }]));
    const home = path.join(work, 'home');
    mkdirSync(home);
    const env = {
      HOME: home, N8N_USER_FOLDER: home, N8N_PORT: String(port), N8N_LISTEN_ADDRESS: '127.0.0.1', N8N_ENCRYPTION_KEY: 'only here', N8N_RUNNERS_ENABLED: 'false',
      N8N_DIAGNOSTICS_ENABLED: 'false', N8N_VERSION_NOTIFICATIONS_ENABLED: 'false', N8N_TEMPLATES_ENABLED: 'false', N8N_PERSONALIZATION_ENABLED: 'false',
    };
    const bin = path.join(packages, 'n8n/bin/n8n');
    const run = (...args) => execute(process.execPath, [bin, ...args], { cwd: work, env: { ...process.env, ...env } });
    await run('import:credentials', '--input=credentials.json');
    await run('import:workflow', '--input=workflow.json');
    await run('publish:workflow', '--id=waoutboxReceiver');
    const database = path.join(home, '.n8n/database.sqlite');
    return { argv: [process.execPath, bin, 'start'], env, seen: () => seen(database) };
  },
};

// seen are the events of n8n's executions, in their order. An execution is written before it runs.
async function seen(database) {
  const { DatabaseSync } = await import('node:sqlite');
  const db = new DatabaseSync(database, { readOnly: true });
  try {
    return db.prepare('select data from execution_data order by executionId').all()
      .filter(({ data }) => data.includes('message.received')).map(({ data }) => data.match(/\bevt_[0-9a-f]{32}\b/)?.[0]).filter(Boolean);
  } finally {
    db.close();
  }
}
