// The python that a receiver is run with: this machine's where that has the packages, else one in
// venv beside this file, with what pip installs of requirements.txt.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const execute = promisify(execFile);
const here = path.dirname(fileURLToPath(import.meta.url));
const system = '/usr/bin/python3';
const venv = path.join(here, 'venv');
const own = path.join(venv, 'bin/python');

// versions are those of the packages, and where each is; it fails where one is not there.
const versions = (python, packages) => execute(python, ['-c', `import os.path, ${packages}
for p in ${packages}: print(p.__name__, p.__version__, "of", os.path.dirname(os.path.dirname(p.__file__)))`])
  .then(({ stdout }) => stdout.trim().replaceAll('\n', ', '));

// install makes venv anew. No script of a package runs: only built ones are taken.
async function install() {
  await execute(system, ['-m', 'venv', '--clear', venv]);
  await execute(own, ['-m', 'pip', 'install', '--quiet', '--only-binary', ':all:', '--retries', '0', '--timeout', '15', '-r', path.join(here, 'requirements.txt')]);
}

// python returns a python that has the packages and says which they are. It fails where they
// cannot be had.
export async function python(packages) {
  for (const file of [system, own]) {
    const found = existsSync(file) && await versions(file, packages).catch(() => '');
    if (found) return { file, found };
  }
  await install();
  return { file: own, found: await versions(own, packages) };
}
