// Package streamable serves an MCP server over Streamable HTTP, to clients of either protocol era.
// It keeps from mcp-go's own handler what that does not bear: bodies without end, cancellations of
// somebody else's calls, sessions without number, streams that outlive a stop. It knows no tools,
// and leaves to its mount who may call.
package streamable
