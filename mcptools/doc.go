// Package mcptools is the agent surface: a whole MCP server over stdio whose tools call a Backend,
// which is the part of api.Service they need. It and its transport,
// mcptools/stdio, are the only packages that know mcp-go, and outbox/api is the only other package
// of this project they import.
//
// Handshake and listing never touch the Backend: it is asked for at the first tool call with valid
// arguments, and again after it became unavailable. Every failure of a tool is a result with
// isError, a text `code: sentence` and the same code in _meta["waoutbox/error"]; no result
// holds Go error text, a secret, or a null.
package mcptools
