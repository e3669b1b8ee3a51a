package kept

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// entry is one line of the journal: exactly one of Next, Want, Try, Kept and Gone is set.
type entry struct {
	Next uint64 `json:"next,omitempty"` // events below it were looked at
	Off  bool   `json:"off,omitempty"`  // with Next: nothing was kept from there on

	Want uint64 `json:"want,omitempty"` // the medium of this event is to be fetched

	Try uint64 `json:"try,omitempty"` // fetching it failed
	N   int    `json:"n,omitempty"`   // so often

	Kept  uint64 `json:"kept,omitempty"` // it is here
	Hash  string `json:"sha256,omitempty"`
	Bytes int64  `json:"bytes,omitempty"`
	At    int64  `json:"at,omitempty"` // since when, Unix seconds

	Gone uint64 `json:"gone,omitempty"` // it is neither wanted nor here any longer
}

// journal is a file of entries, one a line. A line that was cut off by a crash is dropped.
type journal struct {
	path  string
	file  *os.File
	size  int64 // of the lines that are whole
	lines int
}

// readJournal calls take for every entry of the file; one that is missing has none.
func readJournal(path string, take func(entry)) error {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the journal of kept media: %w", err)
	}
	defer file.Close()
	for r := bufio.NewReader(file); ; {
		line, err := r.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the journal of kept media: %w", err)
		}
		var e entry
		if json.Unmarshal(line, &e) == nil { // a damaged line costs a fetch at most
			take(e)
		}
	}
}

// writeJournal puts a file with these entries in the place of the one before, in one step, and
// opens it for more.
func writeJournal(path string, entries []entry) (*journal, error) {
	j := &journal{path: path}
	if err := j.replace(entries); err != nil {
		return nil, errors.Join(err, j.close())
	}
	return j, nil
}

// replace puts a file with these entries in the place of this one, in one step. After an error the
// journal goes on as it was, if its file can be opened again.
func (j *journal) replace(entries []entry) error {
	next, err := stageJournal(j.path, entries)
	if err == nil {
		// On Windows neither a file that is open can be renamed, nor another one put in its place.
		err = j.close()
		if err = errors.Join(err, os.Rename(next.path, j.path)); err != nil {
			err = errors.Join(err, os.Remove(next.path))
		} else {
			j.size, j.lines = next.size, next.lines
		}
		file, openErr := os.OpenFile(j.path, os.O_RDWR, 0)
		j.file, err = file, errors.Join(err, openErr)
	}
	if err != nil {
		return fmt.Errorf("write the journal of kept media: %w", err)
	}
	return nil
}

// stageJournal writes a file with these entries beside path, and closes it.
func stageJournal(path string, entries []entry) (*journal, error) {
	file, err := os.CreateTemp(filepath.Dir(path), "journal-*") // 0600
	if err != nil {
		return nil, err
	}
	j := &journal{path: file.Name(), file: file}
	if err := errors.Join(j.append(entries...), j.sync(), j.close()); err != nil {
		return nil, errors.Join(err, os.Remove(j.path))
	}
	return j, nil
}

// append adds entries, all of them or none. They reach the disk with the next sync.
func (j *journal) append(entries ...entry) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	for _, e := range entries {
		if err := enc.Encode(e); err != nil {
			return err
		}
	}
	if _, err := j.file.WriteAt(b.Bytes(), j.size); err != nil {
		// what was written of it is cut off, now or by the next line in its place
		return errors.Join(err, j.file.Truncate(j.size))
	}
	j.size += int64(b.Len())
	j.lines += len(entries)
	return nil
}

func (j *journal) sync() error { return j.file.Sync() }

// close closes the file. A journal whose file could not be opened has none.
func (j *journal) close() error {
	if j.file == nil {
		return nil
	}
	return j.file.Close()
}
