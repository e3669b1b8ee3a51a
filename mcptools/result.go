package mcptools

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/mark3labs/mcp-go/mcp"
)

// maxText bounds what one result puts before the model, in bytes: a few thousand tokens, well below the clients' own cut.
const maxText = 20 << 10

// reply is the answer of a tool: the structured result, which is repeated as JSON text, and what follows it.
type reply struct {
	structured any
	more       []mcp.Content
}

// note adds a line for the model.
func (r *reply) note(format string, a ...any) {
	r.more = append(r.more, textContent(fmt.Sprintf(format, a...)))
}

func (r reply) result() (*mcp.CallToolResult, error) {
	text, err := jsonText(r.structured)
	if err != nil {
		return nil, fmt.Errorf("encode the result: %w", err)
	}
	return &mcp.CallToolResult{
		Content:           append([]mcp.Content{textContent(text)}, r.more...),
		StructuredContent: r.structured,
	}, nil
}

// jsonText is v as compact JSON that keeps <, > and & readable.
func jsonText(v any) (string, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return "", err
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}

func textContent(s string) mcp.TextContent {
	return mcp.TextContent{Type: mcp.ContentTypeText, Text: s}
}

// cut shortens s to at most most bytes of whole characters and says what is gone.
func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	n := most
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return fmt.Sprintf("%s… [cut: %d of %d bytes]", s[:n], n, len(s))
}

// fitting answers how many of the first items together stay within most bytes of JSON, at least one if there is one.
func fitting[T any](items []T, most int) (int, error) {
	size := 0
	for i, item := range items {
		text, err := jsonText(item)
		if err != nil {
			return 0, fmt.Errorf("encode an item: %w", err)
		}
		if size += len(text) + 1; size > most && i > 0 {
			return i, nil
		}
	}
	return len(items), nil
}

// stamp is t as RFC 3339 in UTC, "" for the zero time.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
