// How each receiver of docs/RECIPES.md is started.
import { execFile } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { n8n } from './n8n.mjs';
import { python as findPython } from './python.mjs';

const execute = promisify(execFile);
const here = path.dirname(fileURLToPath(import.meta.url));
const packages = path.join(here, 'node_modules');
const hook = '/webhook/whatsapp';

const express = (name) => ({
  name, path: hook,
  prepare: ({ work, file }) => {
    file(name + '.mjs');
    symlinkSync(packages, path.join(work, 'node_modules'));
    return { argv: [process.execPath, name + '.mjs'] };
  },
});

const fastapi = (name, module, packages) => {
  let python;
  return {
    name, path: hook,
    missing: () => findPython(packages).then((p) => { python = p; return ''; }, (e) => `no python here has ${packages}, and pip says ${(e.stderr || e.message).trim().split('\n').at(-1)}`),
    prepare: ({ file, port }) => {
      console.log(`${name}: ${python.found}`);
      file(module + '.py');
      return { argv: [python.file, '-m', 'uvicorn', module + ':app', '--port', String(port)] };
    },
  };
};

export const recipes = [
  express('express-standardwebhooks'),
  express('express-svix'),
  fastapi('fastapi', 'receiver', 'fastapi, uvicorn, standardwebhooks'),
  fastapi('fastapi-hmac', 'receiver_hmac', 'fastapi, uvicorn'),
  {
    name: 'go', path: hook,
    prepare: async ({ work, file }) => {
      file('receiver.go');
      // In the module of this repository, whose go.mod has the library.
      await execute('go', ['build', '-o', path.join(work, 'receiver'), path.join(work, 'receiver.go')], { cwd: path.join(here, '../..'), env: { ...process.env, CGO_ENABLED: '0' } });
      return { argv: [path.join(work, 'receiver')] };
    },
  },
  {
    name: 'node-red', path: hook,
    prepare: ({ work, file, port }) => {
      file('flows.json');
      // What Node-RED makes of it when it installs the library of the function.
      writeFileSync(path.join(work, 'package.json'), JSON.stringify({ name: 'node-red-project', private: true, dependencies: { standardwebhooks: '1.1.1' } }));
      mkdirSync(path.join(work, 'node_modules'));
      for (const name of ['standardwebhooks', '@stablelib', 'fast-sha256']) symlinkSync(path.join(packages, name), path.join(work, 'node_modules', name));
      writeFileSync(path.join(work, 'settings.js'), 'module.exports = { uiHost: "127.0.0.1", flowFile: "flows.json", telemetry: { enabled: false } };\n');
      return { argv: [process.execPath, path.join(packages, 'node-red/red.js'), '--userDir', work, '--port', String(port), '--settings', path.join(work, 'settings.js')], env: { HOME: work } };
    },
  },
  n8n,
];
