package mcptools

import "waoutbox/mcptools/streamable"

// HTTP returns the endpoint that serves any number of clients over Streamable HTTP. Its caller
// decides who may use it, closes it when it stops, and then waits with Wait.
func (s *Server) HTTP() *streamable.Handler { return streamable.New(s.mcp, s.events, s.log) }

// Wait gives the tool calls whose contexts have ended a moment to come back.
func (s *Server) Wait() { s.waitForCalls() }
