package crash

import (
	"maps"
	"slices"
	"testing"
)

// summary is what a run of kills came to.
type summary struct {
	kills      map[string]int // by kind of life
	hit        map[string]int // by failpoint
	missed     map[string]int // lives that did not come to theirs in time
	acked      int
	owed       int // events × webhooks
	delivered  int
	dead       int
	purged     int
	expired    int
	deliveries int
	replayed   int
	followed   int // events × subscribers that had them
	told       int // and those that were told that they may have missed some
	// events at the receiver of the lease, refused by it, told as lost; what it was told
	leased, leaseRefused, leaseTold, leaseGaps, leaseRenews, leaseTruncated int

	repeats map[string][]int // of each kill and webhook, by kind of life
	over    int              // drains that repeated more than what was in flight and 50 ms
	over2   int              // and 25 ms
}

func newSummary() *summary {
	return &summary{kills: map[string]int{}, hit: map[string]int{}, missed: map[string]int{}, repeats: map[string][]int{}}
}

// killed counts a kill: what was planned, and where it died.
func (s *summary) killed(kind, planned, point string) {
	s.kills[kind]++
	switch {
	case point != "":
		s.hit[point]++
	case planned != "":
		s.missed[planned]++
	}
}

// repeated takes what was sent again after a kill, of a life of this kind.
func (s *summary) repeated(kind string, tallies []tallyOfLife) {
	for _, t := range tallies {
		s.repeats[kind] = append(s.repeats[kind], t.repeats)
		if kind == lifeDrain && t.repeats > t.allowed {
			s.over++
		}
		if kind == lifeDrain && t.repeats > t.allowed2 {
			s.over2++
		}
	}
}

func (s *summary) print(t *testing.T) {
	total := 0
	for _, n := range s.kills {
		total += n
	}
	t.Logf("%d kills %v; %d events acknowledged, %d deliveries owed: %d delivered, %d dead letters, %d purged, %d expired, 0 lost; %d deliveries seen, %d replayed",
		total, s.kills, s.acked, s.owed, s.delivered, s.dead, s.purged, s.expired, s.deliveries, s.replayed)
	t.Logf("%d events reached an MCP client, and of %d it was told that it may have missed them", s.followed, s.told)
	t.Logf("%d events reached the receiver of the lease, it refused %d, and of %d its client was told that they may be lost: %d gap envelopes, %d of its %d renewals and new starts said so",
		s.leased, s.leaseRefused, s.leaseTold, s.leaseGaps, s.leaseTruncated, s.leaseRenews)
	for _, kind := range slices.Sorted(maps.Keys(s.repeats)) {
		list := slices.Sorted(slices.Values(s.repeats[kind]))
		if len(list) == 0 {
			continue
		}
		t.Logf("repeats of a kill and webhook, %s: median %d, 99th of 100 %d, most %d (%d)", kind, list[len(list)/2], list[len(list)*99/100], list[len(list)-1], len(list))
	}
	t.Logf("drains beyond what was in flight and 50 ms of deliveries: %d, and 25 ms: %d", s.over, s.over2)
	for _, point := range slices.Sorted(maps.Keys(s.hit)) {
		t.Logf("%6d × %s", s.hit[point], point)
	}
	if len(s.missed) > 0 {
		t.Logf("not reached in time: %v", s.missed)
	}
}
