package device

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"testing"
)

// A disk that cannot be read says nothing of the file: doctor sets only what is damaged aside, and
// the account would have to be linked again. Before, such a file was taken for a damaged one.
func TestAFileThatCannotBeReadIsNotDamaged(t *testing.T) {
	err := checkHeader(fmt.Sprintf("/proc/%d/mem", os.Getpid())) // whose beginning gives EIO
	if !errors.Is(err, syscall.EIO) || errors.Is(err, ErrDamaged) {
		t.Errorf("checkHeader: %v", err)
	}
}
