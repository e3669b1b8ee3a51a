package config

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestKeepMedia(t *testing.T) {
	for text, want := range map[string]map[string]int64{
		"off":                           {},
		"image":                         {"image": 0},
		" Image , document=20MiB":       {"image": 0, "document": 20 << 20},
		"all":                           {"image": 0, "video": 0, "audio": 0, "voice": 0, "document": 0, "sticker": 0},
		"video=5MiB,all=1MiB":           {"image": 1 << 20, "video": 5 << 20, "audio": 1 << 20, "voice": 1 << 20, "document": 1 << 20, "sticker": 1 << 20},
		"voice=1000,audio=1KB,sticker=": nil,
		"pictures":                      nil,
		"image=0":                       nil,
		"image=x":                       nil,
		"image,":                        nil,
	} {
		c, err := Load(file(t, ""), map[string]string{KeyKeepMedia: text}, noEnv)
		if (err != nil) != (want == nil) || err == nil && !maps.Equal(c.KeepMedia, want) {
			t.Errorf("%q: %v, %v", text, c.KeepMedia, err)
		}
		if err != nil && !strings.Contains(err.Error(), KeyKeepMedia) {
			t.Errorf("%q: %v names no setting", text, err)
		}
	}
}

func TestMediaDirs(t *testing.T) {
	dir := t.TempDir()
	other := filepath.Join(dir, "a", "..", "b")
	list := dir + string(filepath.ListSeparator) + string(filepath.ListSeparator) + other
	c, err := Load(file(t, ""), map[string]string{KeyMediaDirs: list}, noEnv)
	if err != nil || !slices.Equal(c.MediaDirs, []string{dir, filepath.Join(dir, "b")}) {
		t.Errorf("%q, %v", c.MediaDirs, err)
	}
	root := filepath.VolumeName(dir) + string(filepath.Separator)
	for _, bad := range []string{"pictures", "./x", root, filepath.Join(dir) + string(filepath.ListSeparator) + "x"} {
		if _, err := Load(file(t, ""), map[string]string{KeyMediaDirs: bad}, noEnv); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
