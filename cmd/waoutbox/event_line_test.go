package main

import "testing"

// Events of the link are told in words. Before, the names of their fields stood there.
func TestLinkEventsAreToldInWords(t *testing.T) {
	for body, want := range map[string]string{
		`{"data":{"qr":"https://wa.me/settings/linked_devices#2@abc"}}`:                                                                      "a QR code to scan",
		`{"data":{"status":"connecting","isNewLogin":true}}`:                                                                                 "linked",
		`{"data":{"status":"connected","connection":"open"}}`:                                                                                "open",
		`{"data":{"status":"connected","receivedPendingNotifications":true,"gap":{}}}`:                                                       "all that waited has arrived",
		`{"data":{"connection":"close","lastDisconnect":{"error":{"output":{"payload":{"statusCode":428,"message":"Connection Closed"}}}}}}`: "close, 428 Connection Closed",
		`{"data":{"connection":"close"}}`:                                                                                                    "close",
	} {
		if got := eventDigest([]byte(body)); got != want {
			t.Errorf("%s: %q, want %q", body, got, want)
		}
	}
}
