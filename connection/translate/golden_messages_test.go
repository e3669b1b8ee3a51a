package translate

import (
	"encoding/base64"

	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"
)

func b64(s string) []byte {
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

// deviceInfo is the context info most messages of the golden bodies carry.
func deviceInfo() *waE2E.MessageContextInfo {
	return &waE2E.MessageContextInfo{
		DeviceListMetadata: &waE2E.DeviceListMetadata{
			SenderKeyHash:      b64("JzjDK1+rnWdn1w=="),
			SenderTimestamp:    proto.Uint64(1735603200),
			RecipientKeyHash:   b64("64jZ1ZY/7j8oAQ=="),
			RecipientTimestamp: proto.Uint64(1735686000),
		},
		DeviceListMetadataVersion: proto.Int32(2),
		MessageSecret:             b64("vSsar3708Jvp9Szi2NWZZ02Bqp1qRCFpbcTZPdBhnWg="),
	}
}

// goldenMessages are the messages of the golden bodies as their senders encrypted them, by the name
// of the body.
func goldenMessages() map[string]*waE2E.Message {
	return map[string]*waE2E.Message{
		"message.received-audio-ptt": {AudioMessage: &waE2E.AudioMessage{
			URL:               proto.String("https://mmg.whatsapp.net/v/t62.7118-24/29871204_2204_n.enc?ccb=11-4&oh=01_Q5Aa&oe=67A1B2C3&_nc_sid=5e03e0&mms3=true"),
			Mimetype:          proto.String("audio/ogg; codecs=opus"),
			FileSHA256:        b64("dZ8I34FQ7ZTLLcq434DzE4EkchoYqmEW19/7DGzU8Q8="),
			FileLength:        proto.Uint64(9142),
			Seconds:           proto.Uint32(4),
			PTT:               proto.Bool(true),
			MediaKey:          b64("5by5V0K/M4Nl8nSQU+3Wfqox1cSGtYRh6OVWcKJhbQQ="),
			FileEncSHA256:     b64("gKKb1JGkhbgkzaWt3Jak0lp4m2ahmGWhI3XX154Oyrs="),
			DirectPath:        proto.String("/v/t62.7118-24/29871204_2204_n.enc?ccb=11-4&oh=01_Q5Aa&oe=67A1B2C3&_nc_sid=5e03e0"),
			MediaKeyTimestamp: proto.Int64(1735689595),
			Waveform:          b64("ijmOEN369PqB2jvdaELzI0hkEXN8XOcjNfaeBet8teYJK11PJbpRZtWAZEKW16IahR7ZvbRvtiUvrDuFFpN+uA=="),
		}, MessageContextInfo: deviceInfo()},
		"message.received-buttons-response": {MessageContextInfo: deviceInfo(), ButtonsResponseMessage: &waE2E.ButtonsResponseMessage{
			Response:         &waE2E.ButtonsResponseMessage_SelectedDisplayText{SelectedDisplayText: "Confirm"},
			SelectedButtonID: proto.String("confirm-1042"),
			ContextInfo:      &waE2E.ContextInfo{StanzaID: proto.String("3EB0C431C26A1916E07A5E"), Participant: proto.String("15550100999@s.whatsapp.net")},
			Type:             waE2E.ButtonsResponseMessage_DISPLAY_TEXT.Enum(),
		}},
		"message.received-contact": {ContactMessage: &waE2E.ContactMessage{DisplayName: proto.String("Carol Example"), Vcard: proto.String("BEGIN:VCARD\nVERSION:3.0\nN:Example;Carol;;;\nFN:Carol Example\nTEL;type=CELL;waid=15550100777:+1 555-010-0777\nEND:VCARD")}, MessageContextInfo: deviceInfo()},
		"message.received-document": {MessageContextInfo: deviceInfo(), DocumentWithCaptionMessage: &waE2E.FutureProofMessage{Message: &waE2E.Message{DocumentMessage: &waE2E.DocumentMessage{
			URL:               proto.String("https://mmg.whatsapp.net/v/t62.7118-24/28771034_9903_n.enc?ccb=11-4&oh=01_Q5Aa&oe=67A1B2C3&_nc_sid=5e03e0&mms3=true"),
			Mimetype:          proto.String("application/pdf"),
			Title:             proto.String("invoice-1042.pdf"),
			FileSHA256:        b64("r4JgsYrmPHPSynrLliY7reUA9EJUH8AZu0ClatENBwc="),
			FileLength:        proto.Uint64(220114),
			PageCount:         proto.Uint32(2),
			MediaKey:          b64("gin4aaBR+vXthhXpFnMaSyOx2VHOKcRDUrKuhrs3cGE="),
			FileName:          proto.String("invoice-1042.pdf"),
			FileEncSHA256:     b64("RnKzt1MFmBkThNZdWhh4UG0rb7J2WFdRqCXZ5b3BXTM="),
			DirectPath:        proto.String("/v/t62.7118-24/28771034_9903_n.enc?ccb=11-4&oh=01_Q5Aa&oe=67A1B2C3&_nc_sid=5e03e0"),
			MediaKeyTimestamp: proto.Int64(1735689595),
			Caption:           proto.String("Signed copy"),
		}}}},
		"message.received-edit": {MessageContextInfo: deviceInfo(), EditedMessage: &waE2E.FutureProofMessage{Message: &waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{
			Key: &waCommon.MessageKey{
				RemoteJID: proto.String("77203948571236@lid"),
				FromMe:    proto.Bool(true),
				ID:        proto.String("3A5F0C91B7D24E68A113"),
			},
			Type:          waE2E.ProtocolMessage_MESSAGE_EDIT.Enum(),
			EditedMessage: &waE2E.Message{Conversation: proto.String("Hi! Is order #1043 ready?")},
			TimestampMS:   proto.Int64(1735689618333),
		}}}},
		"message.received-ephemeral": {MessageContextInfo: deviceInfo(), EphemeralMessage: &waE2E.FutureProofMessage{Message: &waE2E.Message{ExtendedTextMessage: &waE2E.ExtendedTextMessage{Text: proto.String("gone in a week"), ContextInfo: &waE2E.ContextInfo{
			Expiration:                proto.Uint32(604800),
			EphemeralSettingTimestamp: proto.Int64(1735600000),
			DisappearingMode:          &waE2E.DisappearingMode{Initiator: waE2E.DisappearingMode_CHANGED_IN_CHAT.Enum()},
		}}}}},
		"message.received-group-text": {ExtendedTextMessage: &waE2E.ExtendedTextMessage{Text: proto.String("@77203948571236 can you check?"), ContextInfo: &waE2E.ContextInfo{MentionedJID: []string{"77203948571236@lid"}}}, MessageContextInfo: deviceInfo()},
		"message.received-image": {ImageMessage: &waE2E.ImageMessage{
			URL:               proto.String("https://mmg.whatsapp.net/v/t62.7118-24/30568147_1183_n.enc?ccb=11-4&oh=01_Q5Aa&oe=67A1B2C3&_nc_sid=5e03e0&mms3=true"),
			Mimetype:          proto.String("image/jpeg"),
			Caption:           proto.String("receipt"),
			FileSHA256:        b64("ReUZpY85mmzy2MMYVNM2lQgoCDaAS6Lx8SHBWdr1Imk="),
			FileLength:        proto.Uint64(48213),
			Height:            proto.Uint32(1280),
			Width:             proto.Uint32(960),
			MediaKey:          b64("u/+h7Pf0RdFIAzCurTw3jwFcP2hO+tlCuRics/4QL9A="),
			FileEncSHA256:     b64("h+rlSynU3FDgBHWixVVcr+u5meVCEgkN5WxX1sZK9s8="),
			DirectPath:        proto.String("/v/t62.7118-24/30568147_1183_n.enc?ccb=11-4&oh=01_Q5Aa&oe=67A1B2C3&_nc_sid=5e03e0"),
			MediaKeyTimestamp: proto.Int64(1735689595),
			JPEGThumbnail:     b64("yrVOS+0tegXyOxiUq/YSO2aC8fJIJoDnrew7V0cGvs3nWZ9XXfBaJkpMJ3vb/2TZ"),
		}, MessageContextInfo: deviceInfo()},
		"message.received-list-response": {MessageContextInfo: deviceInfo(), ListResponseMessage: &waE2E.ListResponseMessage{
			Title:             proto.String("Express"),
			ListType:          waE2E.ListResponseMessage_SINGLE_SELECT.Enum(),
			SingleSelectReply: &waE2E.ListResponseMessage_SingleSelectReply{SelectedRowID: proto.String("ship-express")},
			ContextInfo:       &waE2E.ContextInfo{StanzaID: proto.String("3EB0C431C26A1916E07A5F"), Participant: proto.String("15550100999@s.whatsapp.net")},
		}},
		"message.received-live-location": {LiveLocationMessage: &waE2E.LiveLocationMessage{
			DegreesLatitude:                   proto.Float64(48.8583701),
			DegreesLongitude:                  proto.Float64(2.2944813),
			AccuracyInMeters:                  proto.Uint32(12),
			SpeedInMps:                        proto.Float32(1.4),
			DegreesClockwiseFromMagneticNorth: proto.Uint32(90),
			Caption:                           proto.String("on my way"),
			SequenceNumber:                    proto.Int64(1735689613000001),
		}, MessageContextInfo: deviceInfo()},
		"message.received-location": {LocationMessage: &waE2E.LocationMessage{
			DegreesLatitude:  proto.Float64(-23.55052),
			DegreesLongitude: proto.Float64(-46.633308),
			Name:             proto.String("Praça da Sé"),
			Address:          proto.String("São Paulo"),
			JPEGThumbnail:    b64("Hjyu6/uUgcvW+v46K3VN1/kATTCxxsiHpx/O2dMuTrIotyRrfKEV9JJKUMDlg1VJ"),
		}, MessageContextInfo: deviceInfo()},
		"message.received-newsletter": {ExtendedTextMessage: &waE2E.ExtendedTextMessage{Text: proto.String("Weekly update is out"), PreviewType: waE2E.ExtendedTextMessage_NONE.Enum()}},
		"message.received-poll-vote": {PollUpdateMessage: &waE2E.PollUpdateMessage{
			PollCreationMessageKey: &waCommon.MessageKey{
				RemoteJID:   proto.String("120363025846172094@g.us"),
				FromMe:      proto.Bool(false),
				ID:          proto.String("3EB0A8D10C5F4477B2E9C1"),
				Participant: proto.String("77203948571236@lid"),
			},
			Vote:              &waE2E.PollEncValue{EncPayload: b64("m0Fsoh4lcScMCokAOKir6Ypxw/7d/TVOypxn0RoQB51nDYpvmoRSlJ5AcgK/JivJ2OU="), EncIV: b64("JFlCU5EbwTd7qz4M")},
			SenderTimestampMS: proto.Int64(1735689617901),
		}},
		"message.received-poll": {MessageContextInfo: deviceInfo(), PollCreationMessageV3: &waE2E.PollCreationMessage{
			Name:                   proto.String("Lunch?"),
			Options:                []*waE2E.PollCreationMessage_Option{{OptionName: proto.String("Pizza")}, {OptionName: proto.String("Sushi")}},
			SelectableOptionsCount: proto.Uint32(1),
		}},
		"message.received-reaction-removed": {ReactionMessage: &waE2E.ReactionMessage{
			Key: &waCommon.MessageKey{
				RemoteJID: proto.String("77203948571236@lid"),
				FromMe:    proto.Bool(false),
				ID:        proto.String("3EB0C431C26A1916E07A5D"),
			},
			Text:              proto.String(""),
			SenderTimestampMS: proto.Int64(1735689616020),
		}},
		"message.received-reaction": {MessageContextInfo: &waE2E.MessageContextInfo{MessageSecret: b64("1fbnuTXEcZcqO/lnbPAUBRgOJPrarrmq0dC7EGjSvg4=")}, ReactionMessage: &waE2E.ReactionMessage{
			Key: &waCommon.MessageKey{
				RemoteJID: proto.String("77203948571236@lid"),
				FromMe:    proto.Bool(false),
				ID:        proto.String("3EB0C431C26A1916E07A5D"),
			},
			Text:              proto.String("👍"),
			SenderTimestampMS: proto.Int64(1735689614512),
		}},
		"message.received-status-mention": {GroupStatusMentionMessage: wrap(&waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{
			Key:  &waCommon.MessageKey{RemoteJID: proto.String("status@broadcast"), FromMe: proto.Bool(false), ID: proto.String("AC0B4F6E2D9C41E7A3B8D5F01C2E7AAA")},
			Type: waE2E.ProtocolMessage_STATUS_MENTION_MESSAGE.Enum(),
		}})},
		"message.received-limit-sharing": {ProtocolMessage: &waE2E.ProtocolMessage{
			Type:         waE2E.ProtocolMessage_LIMIT_SHARING.Enum(),
			LimitSharing: &waCommon.LimitSharing{SharingLimited: proto.Bool(true), Trigger: waCommon.LimitSharing_CHAT_SETTING.Enum(), LimitSharingSettingTimestamp: proto.Int64(1735689671000)},
		}},
		"message.received-member-label": {ProtocolMessage: &waE2E.ProtocolMessage{
			Type:        waE2E.ProtocolMessage_GROUP_MEMBER_LABEL_CHANGE.Enum(),
			MemberLabel: &waE2E.MemberLabel{Label: proto.String("Treasurer"), LabelTimestamp: proto.Int64(1735689672)},
		}},
		"message.received-recovered": {Conversation: proto.String("sorry, sending again")},
		"message.received-revoke": {ProtocolMessage: &waE2E.ProtocolMessage{Key: &waCommon.MessageKey{
			RemoteJID: proto.String("77203948571236@lid"),
			FromMe:    proto.Bool(true),
			ID:        proto.String("3A5F0C91B7D24E68A115"),
		}, Type: waE2E.ProtocolMessage_REVOKE.Enum()}},
		"message.received-status": {ExtendedTextMessage: &waE2E.ExtendedTextMessage{
			Text:           proto.String("At the beach"),
			BackgroundArgb: proto.Uint32(4283453520),
			Font:           waE2E.ExtendedTextMessage_SYSTEM.Enum(),
		}, MessageContextInfo: &waE2E.MessageContextInfo{MessageSecret: b64("1O4fCfFmPA8q7N0HWywlQvextZvqRSNbKvZW/SZQ7E4=")}},
		"message.received-sticker": {StickerMessage: &waE2E.StickerMessage{
			URL:               proto.String("https://mmg.whatsapp.net/v/t62.7118-24/27711034_1102_n.enc?ccb=11-4&oh=01_Q5Aa&oe=67A1B2C3&_nc_sid=5e03e0&mms3=true"),
			FileSHA256:        b64("0jW3VY2EaD9SnSEe8ki0BvAx6UyRo92ZdHnrk4zT+Zk="),
			FileEncSHA256:     b64("8ySgw5ebjreHCT6notJUpR1aHMbd3GN9isqvKKE7ClY="),
			MediaKey:          b64("ZY22soD2zzQtTWRXUPnz4od+yYtnxR6OqMaWQKmtSmE="),
			Mimetype:          proto.String("image/webp"),
			Height:            proto.Uint32(512),
			Width:             proto.Uint32(512),
			DirectPath:        proto.String("/v/t62.7118-24/27711034_1102_n.enc?ccb=11-4&oh=01_Q5Aa&oe=67A1B2C3&_nc_sid=5e03e0"),
			FileLength:        proto.Uint64(31288),
			MediaKeyTimestamp: proto.Int64(1735689595),
			IsAnimated:        proto.Bool(false),
			StickerSentTS:     proto.Int64(1735689611204),
			IsAvatar:          proto.Bool(false),
			IsAiSticker:       proto.Bool(false),
			IsLottie:          proto.Bool(false),
		}, MessageContextInfo: deviceInfo()},
		"message.received-text-reply": {ExtendedTextMessage: &waE2E.ExtendedTextMessage{
			Text:        proto.String("Yes, this one: https://example.com/o/1042"),
			MatchedText: proto.String("https://example.com/o/1042"),
			Title:       proto.String("Order 1042"),
			PreviewType: waE2E.ExtendedTextMessage_NONE.Enum(),
			ContextInfo: &waE2E.ContextInfo{
				StanzaID:      proto.String("3EB0C431C26A1916E07A5D"),
				Participant:   proto.String("15550100999@s.whatsapp.net"),
				QuotedMessage: &waE2E.Message{Conversation: proto.String("Which order do you mean?")},
			},
		}, MessageContextInfo: deviceInfo()},
		"message.received-text": {Conversation: proto.String("Hi! Is the order <#1042> & invoice ready? 🙂"), MessageContextInfo: deviceInfo()},
		"message.received-video": {VideoMessage: &waE2E.VideoMessage{
			URL:               proto.String("https://mmg.whatsapp.net/v/t62.7118-24/31001274_7719_n.enc?ccb=11-4&oh=01_Q5Aa&oe=67A1B2C3&_nc_sid=5e03e0&mms3=true"),
			Mimetype:          proto.String("video/mp4"),
			FileSHA256:        b64("lBUO4ywAGNSoivprw7aqKy+6k1u0Dd5JmlBnZPNzEFM="),
			FileLength:        proto.Uint64(1873422),
			Seconds:           proto.Uint32(14),
			MediaKey:          b64("pndF8IzQw54kSNIMLBmFubAPjj2pAw0Tnd1xVl0wyR8="),
			Caption:           proto.String("demo"),
			Height:            proto.Uint32(848),
			Width:             proto.Uint32(480),
			FileEncSHA256:     b64("YKcrRUWH3ps8pVLApggwQUfBK9XHumQ5i/BquQTUuLk="),
			DirectPath:        proto.String("/v/t62.7118-24/31001274_7719_n.enc?ccb=11-4&oh=01_Q5Aa&oe=67A1B2C3&_nc_sid=5e03e0"),
			MediaKeyTimestamp: proto.Int64(1735689595),
			JPEGThumbnail:     b64("mCZMGmLV/eZmDrpQohJqznndWT0tyw5g+pbBRqum7+BEhVpaL6hek+NNQo4NfEYO"),
		}, MessageContextInfo: deviceInfo()},
		"message.received-view-once": {MessageContextInfo: deviceInfo(), ViewOnceMessageV2: &waE2E.FutureProofMessage{Message: &waE2E.Message{ImageMessage: &waE2E.ImageMessage{
			URL:               proto.String("https://mmg.whatsapp.net/v/t62.7118-24/26640011_5540_n.enc?ccb=11-4&oh=01_Q5Aa&oe=67A1B2C3&_nc_sid=5e03e0&mms3=true"),
			Mimetype:          proto.String("image/jpeg"),
			FileSHA256:        b64("kbz2Gjaau2DCIZs3XSrb/zXJ68IdN7QdK25XOEJRNwI="),
			FileLength:        proto.Uint64(51200),
			Height:            proto.Uint32(1600),
			Width:             proto.Uint32(1200),
			MediaKey:          b64("NCM+9u4uPXtBFPcEBk5HTq7alBBpXBSBtKwZpdVYZvQ="),
			FileEncSHA256:     b64("HkuMMFqMEg32DIzohx4hkkeQVwSQQnqj2Wb1wEVJfZQ="),
			DirectPath:        proto.String("/v/t62.7118-24/26640011_5540_n.enc?ccb=11-4&oh=01_Q5Aa&oe=67A1B2C3&_nc_sid=5e03e0"),
			MediaKeyTimestamp: proto.Int64(1735689595),
			ViewOnce:          proto.Bool(true),
		}}}},
		"message.sent-from-phone": {Conversation: proto.String("Answered from the phone"), MessageContextInfo: deviceInfo()},
		"message.sent-group-image": {ImageMessage: &waE2E.ImageMessage{
			URL:               proto.String("https://mmg.whatsapp.net/v/t62.7118-24/25540011_3301_n.enc?ccb=11-4&oh=01_Q5Aa&oe=67A1B2C3&_nc_sid=5e03e0&mms3=true"),
			Mimetype:          proto.String("image/jpeg"),
			Caption:           proto.String("menu"),
			FileSHA256:        b64("PvfOssWp1QslePDlHTdM/FO7UdhgDTByYQBRokVGT7Y="),
			FileLength:        proto.Uint64(39412),
			Height:            proto.Uint32(720),
			Width:             proto.Uint32(1280),
			MediaKey:          b64("HfDJ1Hb8fAx+JRTuyRq6j41odGzHS6OEjmhA4ytDeH4="),
			FileEncSHA256:     b64("r1/fqkYBClJXDkieiVPsoZf16Ar252EREQn+5Ws/Hz0="),
			DirectPath:        proto.String("/v/t62.7118-24/25540011_3301_n.enc?ccb=11-4&oh=01_Q5Aa&oe=67A1B2C3&_nc_sid=5e03e0"),
			MediaKeyTimestamp: proto.Int64(1735689595),
			JPEGThumbnail:     b64("wPskR5GZWBkqA7cmvTobl1VMogTJSbnnzb1VU91RTTSQ73H3v8ZkglkrOyNwrC9T"),
		}},
		"message.sent-text": {Conversation: proto.String("Which order do you mean?")},
	}
}
