package mcptools

import (
	"bufio"
	"errors"
	"io"
	"strings"
	"testing"
)

// A line without end costs what its two ends cost.
func TestLongLineIsNotKept(t *testing.T) {
	in := bufio.NewReaderSize(io.MultiReader(strings.NewReader(strings.Repeat("x", 3*maxLine)), strings.NewReader("y\nnext\n")), 64<<10)
	line, long, err := readLine(in)
	if err != nil || line != nil || long == nil {
		t.Fatalf("%d bytes, %v", len(line), err)
	}
	if len(long.head) != endKept || len(long.tail) != endKept || !strings.HasSuffix(string(long.tail), "y\n") {
		t.Errorf("kept %d and %d bytes", len(long.head), len(long.tail))
	}
	exact := bufio.NewReader(strings.NewReader(strings.Repeat("x", maxLine) + "\n" + strings.Repeat("x", maxLine+1) + "\n"))
	if line, long, err := readLine(exact); len(line) != maxLine || long != nil || err != nil {
		t.Errorf("a line of exactly the limit: %d bytes, %v, %v", len(line), long != nil, err)
	}
	if line, long, err := readLine(exact); line != nil || long == nil || err != nil {
		t.Errorf("a line one byte above the limit: %d bytes, %v, %v", len(line), long != nil, err)
	}
	if line, _, err = readLine(in); string(line) != "next" || err != nil {
		t.Errorf("the next line is %q, %v", line, err)
	}
	if line, _, err = readLine(in); len(line) != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("then %q, %v", line, err)
	}
}

// Whatever a model writes as arguments, the answer is values of the declared types or one sentence.
func FuzzArguments(f *testing.F) {
	for _, seed := range []string{``, `null`, `{}`, `[]`, `{"s":"x","b":true,"n":3,"l":["a"]}`, `{"s":null}`, `{"n":1e99}`, `{"l":[null]}`, `{"x":{}}`, `{"s":"\ud800"}`, `{"s":1,"s":"x"}`} {
		f.Add([]byte(seed))
	}
	spec := mustSpec(`{"required":["s"],"properties":{"s":{"type":"string","description":"text"},"b":{"type":"boolean"},"n":{"type":"integer","minimum":1,"maximum":9},"l":{"type":"array"}}}`)
	f.Fuzz(func(t *testing.T, raw []byte) {
		a, bad := spec.check(raw)
		if bad != nil {
			if !strings.HasSuffix(bad.Message, ".") || strings.Contains(bad.Message, "json:") {
				t.Errorf("%q: %s", raw, bad.Message)
			}
			return
		}
		if a.str("s") == "" || a.has("n") && (a.integer("n") < 1 || a.integer("n") > 9) {
			t.Errorf("%q passed as %v", raw, a)
		}
		for name, v := range a {
			switch v.(type) {
			case string, bool, int, []string:
			default:
				t.Errorf("%q: %s is a %T", raw, name, v)
			}
		}
	})
}
