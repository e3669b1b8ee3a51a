package guard

import (
	"testing"
	"testing/synctest"
	"time"
)

// Messages are read one at a time, and one that hangs holds nobody up for ever.
func TestTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turn := NewTurn()
		first := turn.take()
		taken := make(chan func())
		go func() { taken <- turn.take() }()
		synctest.Wait()
		select {
		case <-taken:
			t.Fatal("two had the turn")
		default:
		}
		first()
		second := <-taken

		began := time.Now()
		third := turn.take() // the second hangs
		if waited := time.Since(began); waited != turnLimit {
			t.Errorf("waited %v, want %v", waited, turnLimit)
		}
		third()
		second()
		turn.take()()
	})
}
