package wasim

import "sync"

// pairFaults are what goes wrong while a client is being linked. Safe for concurrent use.
type pairFaults struct {
	mu         sync.Mutex
	codeErr    int
	passkeyErr int
}

// RefuseCodes has the server refuse to make codes for phone numbers with an
// error code such as 429; 0 makes them again.
func (s *Server) RefuseCodes(code int) {
	s.pairFaults.mu.Lock()
	defer s.pairFaults.mu.Unlock()
	s.pairFaults.codeErr = code
}

// RefusePasskeys has the server refuse every passkey's response with an error
// code such as 403; 0 takes the right ones again.
func (s *Server) RefusePasskeys(code int) {
	s.pairFaults.mu.Lock()
	defer s.pairFaults.mu.Unlock()
	s.pairFaults.passkeyErr = code
}

func (f *pairFaults) codes() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.codeErr
}

func (f *pairFaults) passkeys() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.passkeyErr
}
