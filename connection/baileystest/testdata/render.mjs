// What the package knows of WhatsApp's messages, and how it shows them:
// node render.mjs PACKAGE schema        prints its message types as JSON
// node render.mjs PACKAGE render
//   reads one JSON value a line, {plain, key, me, lid}, and prints for each the base64 of the JSON
//   of the message, its fields in the order of their numbers
import { createInterface } from 'node:readline'
import { createRequire } from 'node:module'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const [, , pkg, mode] = process.argv
const protobuf = createRequire(join(pkg, 'package.json'))('protobufjs')
const { root } = protobuf.parse(readFileSync(join(pkg, 'WAProto', 'WAProto.proto'), 'utf8'), { keepCase: false })
root.resolveAll()

function schema() {
  const types = {}
  const visit = (type) => {
    if (types[type.fullName]) return
    const fields = (types[type.fullName] = {})
    for (const f of type.fieldsArray) {
      const one = (fields[f.id] = {})
      if (f.resolvedType instanceof protobuf.Enum) one.values = Object.values(f.resolvedType.values)
      else if (f.resolvedType) {
        one.type = f.resolvedType.fullName
        visit(f.resolvedType)
      }
    }
  }
  const message = root.lookupType('Message')
  visit(message)
  return { root: message.fullName, types }
}

// ordered gives the fields of a JSON object the order of their numbers.
function ordered(value, type) {
  const out = {}
  for (const f of [...type.fieldsArray].sort((a, b) => a.id - b.id)) {
    if (!(f.name in value)) continue
    const v = value[f.name]
    if (f.repeated && v.length === 0) continue
    const one = (x) => (f.resolvedType instanceof protobuf.Type ? ordered(x, f.resolvedType) : x)
    out[f.name] = f.repeated ? v.map(one) : one(v)
  }
  return out
}

if (mode === 'schema') {
  console.log(JSON.stringify(schema()))
} else {
  const load = (file) => import(pathToFileURL(join(pkg, file)).href)
  const { proto } = await load('WAProto/index.js')
  const { normalizeMessageContent } = await load('lib/Utils/messages.js')
  const { cleanMessage } = await load('lib/Utils/process-message.js')
  const type = root.lookupType('Message')
  // A key whose chat has no participant gets an empty one: ours has none then.
  const withoutEmptyParticipant = (m) => {
    const content = normalizeMessageContent(m)
    for (const k of [content?.reactionMessage?.key, content?.pollUpdateMessage?.pollCreationMessageKey]) {
      if (k?.participant === '') delete k.participant
    }
  }
  let out = []
  for await (const line of createInterface({ input: process.stdin })) {
    const { plain, key, me, lid } = JSON.parse(line)
    const decoded = () => ({ key, message: proto.Message.decode(Buffer.from(plain, 'base64')) })
    let message = decoded()
    try {
      cleanMessage(message, me, lid)
      withoutEmptyParticipant(message.message)
    } catch { // it fails at a reaction or a vote without a key: there is nothing to clean then
      message = decoded()
    }
    out.push(Buffer.from(JSON.stringify(ordered(message.message.toJSON(), type))).toString('base64'))
  }
  process.stdout.write(out.join('\n') + '\n')
}
