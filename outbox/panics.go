package outbox

import (
	"fmt"
	"runtime"
)

// PanicText returns what a log or an error may hold of a recovered panic: the words of the runtime,
// like "index out of range", and of anything else only its type, because it may quote what people
// or endpoints wrote. The stack, which is logged beside it, holds no text of theirs.
func PanicText(p any) string {
	if e, ok := p.(runtime.Error); ok {
		return e.Error()
	}
	return fmt.Sprintf("%T", p)
}
