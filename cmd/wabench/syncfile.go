package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

const (
	syncPage = 4 << 10 // bytes of one overwrite
	syncSize = 4 << 20 // bytes of the preallocated file
)

// syncFile is the limit of everything durable: a preallocated file in which one page at a time is
// overwritten and synced.
type syncFile struct {
	f    *os.File
	page []byte
	at   int64
	// how much longer each sync takes than on this disk
	slower time.Duration
}

func newSyncFile(dir string) (*syncFile, error) {
	f, err := os.Create(filepath.Join(dir, "sync"))
	if err != nil {
		return nil, fmt.Errorf("make a file to sync: %w", err)
	}
	s := &syncFile{f: f, page: make([]byte, syncPage)}
	if _, err := f.Write(make([]byte, syncSize)); err != nil {
		return nil, errors.Join(fmt.Errorf("preallocate a file: %w", err), s.close())
	}
	if err := f.Sync(); err != nil {
		return nil, errors.Join(fmt.Errorf("preallocate a file: %w", err), s.close())
	}
	return s, nil
}

// once overwrites the next page and syncs it.
func (s *syncFile) once() error {
	s.page[0]++
	if _, err := s.f.WriteAt(s.page, s.at); err != nil {
		return fmt.Errorf("overwrite a page: %w", err)
	}
	s.at = (s.at + syncPage) % syncSize
	if err := dataSync(s.f); err != nil {
		return fmt.Errorf("sync a page: %w", err)
	}
	time.Sleep(s.slower) //nolint:forbidigo // as a slower disk does
	return nil
}

// rate returns how many a second there are when one follows the other for d.
func (s *syncFile) rate(ctx context.Context, d time.Duration) (float64, error) {
	began := time.Now()
	for n := 1; ; n++ {
		if err := errors.Join(ctx.Err(), s.once()); err != nil {
			return 0, err
		}
		if took := time.Since(began); took >= d {
			return float64(n) / took.Seconds(), nil
		}
	}
}

// paced returns how long each of n takes, rate a second.
func (s *syncFile) paced(ctx context.Context, rate, n int) ([]time.Duration, error) {
	var took []time.Duration
	var failed error
	err := paced(ctx, rate, n, func(int) {
		began := time.Now()
		failed = errors.Join(failed, s.once())
		took = append(took, time.Since(began))
	})
	return took, errors.Join(err, failed)
}

func (s *syncFile) close() error {
	return errors.Join(s.f.Close(), os.Remove(s.f.Name()))
}
