package api

import "time"

// Alarm is something that needs a person. Message says how to mend it.
type Alarm struct {
	Code    string    `json:"code"`              // one of AlarmCodes; stable
	Webhook string    `json:"webhook,omitempty"` // the id of the one it is of, if of one
	Message string    `json:"message" sentence:"true"`
	Since   time.Time `json:"since,omitzero"`
}

// AlarmCodes lists the code of every alarm there is. docs/OPERATIONS.md explains them.
func AlarmCodes() []string {
	return []string{
		"account_banned",
		"account_restricted",
		"app_state_incomplete",
		"app_state_lost",
		"append_refused",
		"client_outdated",
		"clock_wrong",
		"dead_letters_rising",
		"device_store",
		"device_store_displaced",
		"event_untranslatable",
		"events_expired",
		"events_lost",
		"expiry_near",
		"frame_unreadable",
		"http_listener_down",
		"key_missing",
		"key_wrong",
		"library_panicked",
		"link_closed",
		"link_down",
		"link_replaced",
		"logged_out",
		"login_refused",
		"media_disk_full",
		"message_not_resent",
		"message_too_large",
		"message_unreadable",
		"message_update_lost",
		"not_linked",
		"outbox_audit_changed",
		"outbox_commit",
		"outbox_compaction",
		"outbox_corrupt",
		"outbox_damaged",
		"outbox_disk_full",
		"outbox_disk_low",
		"outbox_displaced",
		"outbox_reopening",
		"outbox_size_limit",
		"outbox_stopped",
		"outbox_undecodable",
		"outbox_unreadable",
		"session_store_failed",
		"stanza_incomplete",
		"webhook_failing",
		"webhook_full",
		"webhook_held",
		"webhook_paused",
		"webhook_unreadable",
	}
}
