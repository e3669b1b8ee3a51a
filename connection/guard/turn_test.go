package guard

import (
	"testing"
	"testing/synctest"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
)

// enc is a message with that many ciphertexts.
func enc(parts int) *waBinary.Node {
	content := []waBinary.Node{{Tag: "bot"}}
	for range parts {
		content = append(content, waBinary.Node{Tag: "enc"})
	}
	return &waBinary.Node{Tag: "message", Content: content}
}

// Messages are read one at a time, and one that hangs holds nobody up for ever.
func TestTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turn := NewTurn()
		hang, began := make(chan struct{}), time.Now()
		go turn.read(enc(1), func() { <-hang })
		synctest.Wait()
		read := false
		turn.read(enc(1), func() { read = true })
		if waited := time.Since(began); waited != turnLimit || !read {
			t.Errorf("read %v after %v, want %v", read, waited, turnLimit)
		}
		close(hang)
		synctest.Wait()
		turn.read(enc(1), func() { began = time.Now() })
		if waited := time.Since(began); waited != 0 {
			t.Errorf("the next waited %v", waited)
		}
	})
}

// A message that waits for the disk lets the next ones be read, and they are acknowledged in order.
//
// Mutation of turn.go: what comes again on a new connection is read beside its first copy.
func TestPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turn := NewTurn()
		disk, over := make(chan struct{}), make(chan struct{}, mostPassed+1)
		var order []int
		for i := range mostPassed {
			n := enc(1)
			turn.read(n, func() { // returns though nothing is on the disk
				inOrder := turn.Pass(n)
				if inOrder == nil {
					t.Errorf("message %d may not be passed", i)
					return
				}
				if turn.Pass(n) != nil {
					t.Error("passed twice")
				}
				<-disk
				<-time.After(time.Duration(mostPassed-i) * time.Second) // the later the sooner
				inOrder()
				order = append(order, i)
				over <- struct{}{}
			})
		}
		full := enc(1)
		turn.read(full, func() {
			if turn.Pass(full) != nil {
				t.Error("too many were passed")
			}
		})
		turn.connected()
		began, waited := time.Now(), time.Duration(0)
		go turn.read(full, func() { waited = time.Since(began) }) // as on the next connection
		close(disk)
		for range mostPassed {
			<-over
		}
		synctest.Wait()
		if waited != mostPassed*time.Second || len(order) != mostPassed {
			t.Errorf("%d are over; what came on the next connection waited %v", len(order), waited)
		}
		for i, got := range order {
			if got != i {
				t.Fatalf("acknowledged in the order %v", order)
			}
		}
		synctest.Wait()
		turn.read(full, func() {
			if inOrder := turn.Pass(full); inOrder == nil {
				t.Error("no room after all are over")
			}
		})
	})
}

// Only the message that is being read is passed, and only when nothing more of it is to be read.
func TestNothingElseIsPassed(t *testing.T) {
	turn, other := NewTurn(), enc(1)
	if turn.Pass(other) != nil {
		t.Error("passed while nothing is read")
	}
	for _, n := range []*waBinary.Node{enc(0), enc(2)} {
		turn.read(n, func() {
			if turn.Pass(n) != nil || turn.Pass(other) != nil || turn.Pass(nil) != nil {
				t.Errorf("%v was passed", n.GetChildren())
			}
		})
	}
	var none *Turn
	if none.Pass(other) != nil {
		t.Error("passed without a turn")
	}
}
