package translate_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"

	"waoutbox/connection/translate"
)

// noContacts knows nobody's other address.
type noContacts struct{}

func (noContacts) AltJID(context.Context, types.JID) types.JID { return types.JID{} }

// A message from the library becomes one event with its final body.
func ExampleTranslator_Translate() {
	account := translate.Self{PN: types.NewJID("15550100999", types.DefaultUserServer)}
	now := time.UnixMilli(1735689600417)
	tr := translate.New(func() translate.Self { return account }, noContacts{}, func() time.Time { return now })

	alice := types.NewJID("15550100123", types.DefaultUserServer)
	evs, err := tr.Translate(context.Background(), &events.Message{
		Info: types.MessageInfo{
			MessageSource: types.MessageSource{Chat: alice, Sender: alice},
			ID:            "3A5F0C91B7D24E68A113", PushName: "Alice", Timestamp: time.Unix(1735689599, 0),
		},
		RawMessage: &waE2E.Message{Conversation: proto.String("hello")},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, ev := range evs {
		var body bytes.Buffer
		if err := json.Indent(&body, ev.Body, "", "  "); err != nil {
			fmt.Println(err)
		}
		fmt.Printf("%s in %s\n%s\n", ev.Name, ev.Chat, body.Bytes())
	}
	// Output:
	// message.received in 15550100123@s.whatsapp.net
	// {
	//   "event": "message.received",
	//   "timestamp": 1735689600417,
	//   "data": {
	//     "messages": [
	//       {
	//         "key": {
	//           "remoteJid": "15550100123@s.whatsapp.net",
	//           "fromMe": false,
	//           "id": "3A5F0C91B7D24E68A113",
	//           "addressingMode": "pn"
	//         },
	//         "messageTimestamp": 1735689599,
	//         "pushName": "Alice",
	//         "broadcast": false,
	//         "message": {
	//           "conversation": "hello"
	//         }
	//       }
	//     ],
	//     "type": "notify"
	//   }
	// }
}
