// Package replay runs replays: it moves deliveries of a selection back into a webhook's lane, a few
// at a time and in their original order, follows each to its end, and counts. One replay runs per
// webhook. It is no stored job: what was moved is the lane's and on disk, everything else stays
// where it was, so that after a restart the same selection again goes on where this one was.
package replay
