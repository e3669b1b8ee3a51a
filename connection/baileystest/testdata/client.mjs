// An independent client, driven over its standard input and output with one JSON value a line:
// node client.mjs PACKAGE URL ROOT_KEY AUTH_DIRECTORY
import { createInterface } from 'node:readline'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const [, , pkg, url, rootKey, dir] = process.argv
const load = (file) => import(pathToFileURL(join(pkg, 'lib', file)).href)
const baileys = await load('index.js')
const { WA_CERT_DETAILS } = await load('Defaults/index.js')
WA_CERT_DETAILS.PUBLIC_KEY = Buffer.from(rootKey, 'hex')

const print = (value) => process.stdout.write(JSON.stringify(value, baileys.BufferJSON.replacer) + '\n')
const silent = { level: 'silent', child: () => silent }
for (const level of ['trace', 'debug', 'info', 'warn', 'error', 'fatal']) {
  silent[level] = process.env.BAILEYS_LOG ? (...a) => console.error(level, ...a) : () => {}
}

let sock
let saving = Promise.resolve()
async function connect() {
  const { state, saveCreds } = await baileys.useMultiFileAuthState(dir)
  sock = baileys.default({
    auth: state, waWebSocketUrl: url, logger: silent, syncFullHistory: false,
    shouldSyncHistoryMessage: () => false, markOnlineOnConnect: true, countryCode: 'US',
    getMessage: async () => undefined,
  })
  sock.ev.on('creds.update', () => { saving = saving.then(saveCreds) })
  sock.ev.on('connection.update', (u) => {
    if (u.qr) print({ qr: u.qr })
    if (u.connection === 'open') print({ open: true })
    if (u.connection === 'close') {
      const code = u.lastDisconnect?.error?.output?.statusCode
      print({ close: code ?? 0 })
      if (code === 515) connect()
    }
  })
  sock.ev.on('messages.upsert', ({ messages }) => {
    for (const m of messages) print({ message: { key: m.key, text: m.message?.conversation ?? m.message?.extendedTextMessage?.text ?? '', status: m.status ?? 0 } })
  })
  sock.ev.on('messages.update', (updates) => {
    for (const u of updates) print({ update: { id: u.key.id, status: u.update.status ?? 0 } })
  })
  sock.ev.on('message-receipt.update', (updates) => {
    for (const u of updates) print({ receipt: { id: u.key.id, user: u.receipt.userJid, read: Boolean(u.receipt.readTimestamp) } })
  })
  sock.ev.on('creds.update', (c) => { if (c.me?.name) print({ name: c.me.name }) })
}

const commands = {
  send: async ({ to, text }) => print({ sent: (await sock.sendMessage(to, { text })).key.id }),
  read: async ({ key }) => { await sock.readMessages([key]); print({ done: 'read' }) },
  groups: async () => print({ groups: Object.keys(await sock.groupFetchAllParticipating()) }),
}
for await (const line of (connect(), createInterface({ input: process.stdin }))) {
  const [[name, args]] = Object.entries(JSON.parse(line))
  commands[name](args).catch((e) => print({ failed: `${name}: ${e?.stack ?? e}` }))
}
sock.end(undefined)
await new Promise((done) => setTimeout(done, 200)) // for the keys that it still writes
await saving
process.exit(0)
