package translate

import "go.mau.fi/whatsmeow/proto/waE2E"

// protocolTypes says of each type of protocol message that the library knows why it is internal,
// and "" of those that a person sees something of. A type that it does not know is shown.
var protocolTypes = map[waE2E.ProtocolMessage_Type]string{
	waE2E.ProtocolMessage_REVOKE:                    "",
	waE2E.ProtocolMessage_MESSAGE_EDIT:              "",
	waE2E.ProtocolMessage_EPHEMERAL_SETTING:         "",
	waE2E.ProtocolMessage_SHARE_PHONE_NUMBER:        "", // somebody shows their number
	waE2E.ProtocolMessage_STATUS_MENTION_MESSAGE:    "", // a status names the account or a group
	waE2E.ProtocolMessage_LIMIT_SHARING:             "", // advanced chat privacy, on or off
	waE2E.ProtocolMessage_GROUP_MEMBER_LABEL_CHANGE: "", // what a member is called in a group
	waE2E.ProtocolMessage_MESSAGE_UNSCHEDULE:        "", // an announced message does not come
	waE2E.ProtocolMessage_CHAT_THEME_SETTING:        "", // how the chat looks for both

	waE2E.ProtocolMessage_EPHEMERAL_SYNC_RESPONSE:                      "settings among the account's devices",
	waE2E.ProtocolMessage_HISTORY_SYNC_NOTIFICATION:                    "bulk history from before linking",
	waE2E.ProtocolMessage_APP_STATE_SYNC_KEY_SHARE:                     "keys of the synced state",
	waE2E.ProtocolMessage_APP_STATE_SYNC_KEY_REQUEST:                   "keys of the synced state",
	waE2E.ProtocolMessage_MSG_FANOUT_BACKFILL_REQUEST:                  "machinery between devices",
	waE2E.ProtocolMessage_INITIAL_SECURITY_NOTIFICATION_SETTING_SYNC:   "settings among the account's devices",
	waE2E.ProtocolMessage_APP_STATE_FATAL_EXCEPTION_NOTIFICATION:       "machinery between devices",
	waE2E.ProtocolMessage_PEER_DATA_OPERATION_REQUEST_MESSAGE:          "machinery between devices",
	waE2E.ProtocolMessage_PEER_DATA_OPERATION_REQUEST_RESPONSE_MESSAGE: "machinery between devices; the messages in it are events of their own",
	waE2E.ProtocolMessage_REQUEST_WELCOME_MESSAGE:                      "asks a business's program for its greeting",
	waE2E.ProtocolMessage_BOT_FEEDBACK_MESSAGE:                         "feedback to Meta AI",
	waE2E.ProtocolMessage_MEDIA_NOTIFY_MESSAGE:                         "machinery between devices",
	waE2E.ProtocolMessage_CLOUD_API_THREAD_CONTROL_NOTIFICATION:        "machinery of a business's programs",
	waE2E.ProtocolMessage_LID_MIGRATION_MAPPING_SYNC:                   "addresses, which events carry",
	waE2E.ProtocolMessage_REMINDER_MESSAGE:                             "private state of the account",
	waE2E.ProtocolMessage_BOT_MEMU_ONBOARDING_MESSAGE:                  "set-up of Meta AI",
	waE2E.ProtocolMessage_STOP_GENERATION_MESSAGE:                      "tells Meta AI to stop",
	waE2E.ProtocolMessage_AI_PSI_METADATA:                              "machinery of Meta AI",
	waE2E.ProtocolMessage_AI_QUERY_FANOUT:                              "machinery of Meta AI",
	waE2E.ProtocolMessage_AI_MEDIA_COLLECTION_MESSAGE:                  "machinery of Meta AI",
	waE2E.ProtocolMessage_AI_METADATA_OPERATION:                        "machinery of Meta AI",
	waE2E.ProtocolMessage_MARK_AS_VERIFIED_ACTION:                      "security log",
	waE2E.ProtocolMessage_COEX_STATE_SYNC:                              "settings among the account's devices",
	waE2E.ProtocolMessage_ACP2_SETTING:                                 "settings among the account's devices",
	waE2E.ProtocolMessage_SHARED_DEVICE_CONTACT_HASH_KEY_SHARE:         "keys among the account's devices",
	waE2E.ProtocolMessage_SHARED_DEVICE_CONTACT_HASH_KEY_REQUEST:       "keys among the account's devices",
}

// isShown reports whether the protocol message is more than machinery. An unset type would read as
// a revoke, and is none.
func isShown(p *waE2E.ProtocolMessage) bool {
	return p.Type != nil && protocolTypes[p.GetType()] == ""
}
