package wasim

import "time"

// SetClock moves the time of the simulated world, what stanzas say in t and pages in their date, so
// far from the real one: messages of yesterday, or a group change of last month. Zero brings it
// back.
func (s *Server) SetClock(offset time.Duration) { s.clock.Store(int64(offset)) }

// now is the time of the simulated world.
func (s *Server) now() time.Time { return time.Now().Add(time.Duration(s.clock.Load())) }
