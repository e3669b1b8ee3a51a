package wajsontest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"os"
	"os/exec"
	"testing"
)

// nodeScript reads one base64 document a line and prints how many it read and
// which of them JSON.stringify(JSON.parse(x)) changed, compared byte by byte.
const nodeScript = `
let n = 0; const bad = [];
for (const line of require('fs').readFileSync(0, 'latin1').split('\n')) {
  if (line === '') continue;
  const raw = Buffer.from(line, 'base64');
  let ok = false;
  try { ok = Buffer.from(JSON.stringify(JSON.parse(raw.toString('utf8'))), 'utf8').equals(raw); } catch {}
  if (!ok) bad.push(n);
  n++;
}
console.log(JSON.stringify({ n, bad }));`

// nodeRequired names the environment variable that makes the absence of a program a failure:
// .ci/run sets it, so that what only node can confirm is never left out there.
const nodeRequired = "WAOUTBOX_REQUIRE_TOOLS"

// NodePath returns where node is, or "" and a line in the test's log on a machine without it. With
// WAOUTBOX_REQUIRE_TOOLS set its absence fails the test.
func NodePath(t *testing.T) string {
	t.Helper()
	node, err := exec.LookPath("node")
	switch {
	case err == nil:
		return node
	case os.Getenv(nodeRequired) != "":
		t.Fatalf("%s is set and there is no node: %v", nodeRequired, err)
	}
	t.Log("no node on this machine: the Go checks stand alone")
	return ""
}

// Node fails the test for every document that node's JSON does not give back byte for byte, using
// one node process for all. Without node it checks nothing (NodePath): it only ever confirms what
// Go vectors have shown.
func Node(t *testing.T, docs [][]byte) {
	t.Helper()
	node := NodePath(t)
	if node == "" {
		return
	}
	var in bytes.Buffer
	for _, d := range docs {
		in.WriteString(base64.StdEncoding.EncodeToString(d))
		in.WriteByte('\n')
	}
	cmd := exec.CommandContext(t.Context(), node, "-e", nodeScript)
	cmd.Stdin = &in
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("node: %v", err)
	}
	var res struct {
		N   int   `json:"n"`
		Bad []int `json:"bad"`
	}
	if err := json.Unmarshal(out, &res); err != nil {
		t.Fatalf("node printed %q: %v", out, err)
	}
	if res.N != len(docs) {
		t.Errorf("node read %d documents of %d", res.N, len(docs))
	}
	for _, i := range res.Bad {
		t.Errorf("node gives this document back changed: %.300s", docs[i])
	}
}
