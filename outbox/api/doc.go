// Package api holds the plain types of what a person, a program or an agent asks waoutbox for and
// gets: the JSON of the CLI's --json, of the control socket and of the MCP tools. Version 1: fields
// may be added, never renamed. Times are RFC 3339.
//
// It imports the standard library only and may be imported by every package.
package api

// Version is the version of the JSON shapes and of the control socket's routes.
const Version = 1
