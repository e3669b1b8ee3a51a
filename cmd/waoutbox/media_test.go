package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"waoutbox/outbox/api"
)

// withFile is a service whose every message has this file, and a sender who means no good.
func withFile(content string) *fakeService {
	f := healthy()
	sum := sha256.Sum256([]byte(content))
	f.file, f.media.MediaInfo = content, api.MediaInfo{
		Event: "evt_ca2a0f5c", Message: "3A5F", Kind: "image", MIME: "image/jpeg", FileName: "../../\x1b[31mevil.sh",
		Bytes: int64(len(content)), SHA256: hex.EncodeToString(sum[:]),
	}
	return f
}

// A file is saved under the event's id, never under its sender's name, for this user alone; one
// that is there is not replaced unasked.
func TestMediaGet(t *testing.T) {
	t.Chdir(t.TempDir())
	res := invoke(t, withFile("a picture"), "", "media", "get", "3A5F")
	got, err := os.ReadFile("evt_ca2a0f5c.jpg")
	if err != nil || string(got) != "a picture" || res.code != exitOK || strings.Contains(res.out, "\x1b[31m") || !strings.Contains(res.out, "Saved evt_ca2a0f5c.jpg") {
		t.Errorf("%q, %v, %+v", got, err, res)
	}
	if info, err := os.Stat("evt_ca2a0f5c.jpg"); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if res := invoke(t, withFile("another"), "", "media", "get", "3A5F"); res.code != exitUsage || !strings.Contains(res.err, "--force") {
		t.Errorf("a file that is there: %+v", res)
	}
	if res := invoke(t, withFile("another"), "", "media", "get", "3A5F", "--force", "--json"); res.code != exitOK {
		t.Errorf("replaced: %+v", res)
	} else {
		var out savedMedia
		if err := json.Unmarshal([]byte(res.out), &out); err != nil || out.Path != "evt_ca2a0f5c.jpg" || out.Bytes != 7 {
			t.Errorf("%s: %v", res.out, err)
		}
	}
	if got, _ := os.ReadFile("evt_ca2a0f5c.jpg"); string(got) != "another" {
		t.Errorf("%q", got)
	}
	dir := t.TempDir()
	if res := invoke(t, withFile("x"), "", "media", "get", "3A5F", "-o", dir); res.code != exitOK {
		t.Errorf("into a directory: %+v", res)
	}
	if _, err := os.Stat(filepath.Join(dir, "evt_ca2a0f5c.jpg")); err != nil {
		t.Error(err)
	}
	if res := invoke(t, withFile("to stdout"), "", "media", "get", "3A5F", "-o", "-"); res.code != exitOK || res.out != "to stdout" {
		t.Errorf("to stdout: %+v", res)
	}
	if res := invoke(t, withFile("x"), "", "media", "get", "3A5F", "-o", "-", "--json"); res.code != exitUsage {
		t.Errorf("two things on stdout: %+v", res)
	}
}

// What did not arrive whole leaves nothing.
func TestMediaGetThatFails(t *testing.T) {
	t.Chdir(t.TempDir())
	f := withFile("a picture")
	f.file = "a pictur"
	if res := invoke(t, f, "", "media", "get", "3A5F"); res.code != exitFailed || !strings.Contains(res.err, "did not arrive") {
		t.Errorf("%+v", res)
	}
	f = withFile("a picture")
	f.fail = map[string]error{"Media": api.Errorf(api.CodeMediaExpired, "WhatsApp no longer has the file")}
	if res := invoke(t, f, "", "media", "get", "3A5F"); res.code != exitFailed || !strings.Contains(res.err, "no longer") {
		t.Errorf("%+v", res)
	}
	// Before: fetched first, and then "open …/.waoutbox-3303026221: no such file or directory".
	if res := invoke(t, withFile("x"), "", "media", "get", "3A5F", "-o", "none/there"); res.code != exitUsage || !strings.Contains(res.err, "there is no directory none") {
		t.Errorf("%+v", res)
	}
	if left, _ := os.ReadDir("."); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

// A fetch that waits for the phone says so. Before: a minute without a word.
func TestMediaGetSaysThatItWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for took, want := range map[time.Duration]string{2 * time.Second: "", 4 * time.Second: "waiting\n"} {
			var stderr bytes.Buffer
			answered := (&env{stderr: &stderr}).sayAfter(patience, "waiting")
			<-time.After(took)
			answered()
			if stderr.String() != want {
				t.Errorf("after %s: %q", took, stderr.String())
			}
		}
	})
}

// A file of this user's goes beside the request, named by its last part; a URL is left to the
// service.
func TestSendMedia(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("report.pdf", []byte("%PDF"), 0o600); err != nil {
		t.Fatal(err)
	}
	for args, want := range map[string]api.File{
		"report.pdf":                      {Name: "report.pdf"},
		"./report.pdf --filename r.pdf":   {Name: "r.pdf"},
		"report.pdf --kind document":      {Kind: "document", Name: "report.pdf"},
		"- --filename in.txt":             {Name: "in.txt"},
		"https://example.com/a.pdf?x=1":   {URL: "https://example.com/a.pdf?x=1"},
		"http://127.0.0.1:1/ --caption c": {URL: "http://127.0.0.1:1/", Caption: "c"},
	} {
		f := healthy()
		res := invoke(t, f, "from stdin", append([]string{"send", "media", "+491515550100"}, strings.Fields(args)...)...)
		if res.code != exitOK || len(f.sent) != 1 || *f.sent[0].File != want || f.sent[0].To != "+491515550100" || !strings.Contains(res.out, "Sent 3EB0C0FFEE") {
			t.Errorf("%s: %+v, sent %+v", args, res, f.sent)
			continue
		}
		if content := map[bool]string{true: "from stdin", false: "%PDF"}[args[0] == '-']; want.URL == "" && f.file != content {
			t.Errorf("%s: sent %q", args, f.file)
		}
	}
	for _, args := range []string{"none.pdf", ".", "report.pdf more", "report.pdf --caption \xff"} {
		f := healthy()
		if res := invoke(t, f, "", append([]string{"send", "media", "+491515550100"}, strings.Fields(args)...)...); res.code != exitUsage || len(f.sent) > 0 {
			t.Errorf("%s: %+v", args, res)
		}
	}
}
