// Starts the server of an unpacked bundle as a client would, with the settings its user may make,
// and wants its tools. Usage: node check.mjs DIRECTORY STATE-DIRECTORY
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { getMcpConfigForManifest } from "@anthropic-ai/mcpb";

const [directory, stateDir] = process.argv.slice(2);
const manifest = JSON.parse(readFileSync(`${directory}/manifest.json`, "utf8"));

async function tools(userConfig) {
  const config = await getMcpConfigForManifest({
    manifest, extensionPath: directory, systemDirs: {}, userConfig, pathSeparator: "/",
  });
  const child = spawn(config.command, config.args, { env: { HOME: stateDir, PATH: process.env.PATH, ...config.env }, stdio: ["pipe", "pipe", "inherit"] });
  const hello = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "check", version: "1" } };
  const lines = [
    { jsonrpc: "2.0", id: 1, method: "initialize", params: hello },
    { jsonrpc: "2.0", method: "notifications/initialized" },
    { jsonrpc: "2.0", id: 2, method: "tools/list" },
  ];
  child.stdin.end(lines.map((l) => JSON.stringify(l) + "\n").join(""));
  let out = "";
  for await (const chunk of child.stdout) out += chunk;
  const list = out.split("\n").filter(Boolean).map((l) => JSON.parse(l)).find((m) => m.id === 2);
  return list.result.tools.map((t) => t.name);
}

const all = await tools({});
const some = await tools({ read_only: true, state_dir: stateDir });
const named = manifest.tools.map((t) => t.name);
if (all.length === 0 || some.length === 0 || some.length >= all.length || named.join() !== all.join()) {
  console.error("the bundle's tools:", { all, some, named });
  process.exit(1);
}
console.log(`the bundle starts: ${all.length} tools, ${some.length} when it is read-only`);
