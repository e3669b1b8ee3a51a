package translate

import (
	"encoding/json"
	"strings"
	"testing"
)

// Every event of the catalogue has a sample, which says that it is a test and when it was sent, and
// is otherwise what receivers get.
func TestSamples(t *testing.T) {
	for _, ev := range Catalog() {
		raw := TestBody(ev.Name, created(49))
		var body struct {
			Event     string          `json:"event"`
			Timestamp int64           `json:"timestamp"`
			Data      json.RawMessage `json:"data"`
			Test      bool            `json:"test"`
		}
		if err := json.Unmarshal(raw, &body); err != nil {
			t.Fatalf("%s: %v\n%s", ev.Name, err, raw)
		}
		if body.Event != ev.Name || body.Timestamp != created(49).UnixMilli() || len(body.Data) < 20 || !body.Test {
			t.Errorf("%s: %s", ev.Name, raw)
		}
		if head := `{"event":"` + ev.Name + `","timestamp":`; !strings.HasPrefix(string(raw), head) {
			t.Errorf("%s begins with %.60s", ev.Name, raw)
		}
	}
}
