// Package recent keeps in memory what happened lately to each webhook: its last success and its
// last failure, the attempts of the last hour by minute, the last attempts one by one, and whether
// its dead letters are rising. A Recent is an observer of a dispatcher.Dispatcher.
//
// Nothing of it is stored: it knows what happened since the process began. It holds at most about
// 40 KiB for a webhook, and nothing of a removed one.
package recent
