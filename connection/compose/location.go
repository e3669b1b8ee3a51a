package compose

import (
	"context"
	"math"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"

	"waoutbox/outbox/api"
)

// maxPlace is the longest name or address of a place, in characters.
const maxPlace = 1024

// location is a point on the map.
type location struct {
	api.Location
	quotedID string
}

func (l location) check() error {
	switch {
	case math.IsNaN(l.Latitude) || math.Abs(l.Latitude) > 90:
		return api.Errorf(api.CodeInvalidArguments, "the latitude %v is not between -90 and 90 degrees", l.Latitude).In("location.latitude")
	case math.IsNaN(l.Longitude) || math.Abs(l.Longitude) > 180:
		return api.Errorf(api.CodeInvalidArguments, "the longitude %v is not between -180 and 180 degrees", l.Longitude).In("location.longitude")
	}
	if err := checkShort("name of the place", "location.name", l.Name, maxPlace); err != nil {
		return err
	}
	return checkShort("address of the place", "location.address", l.Address, maxPlace)
}

func (l location) build(ctx context.Context, env Env) (*waE2E.Message, error) {
	info, err := env.replyTo(ctx, l.quotedID)
	if err != nil {
		return nil, err
	}
	return &waE2E.Message{LocationMessage: &waE2E.LocationMessage{
		DegreesLatitude:  proto.Float64(l.Latitude),
		DegreesLongitude: proto.Float64(l.Longitude),
		Name:             optional(l.Name),
		Address:          optional(l.Address),
		ContextInfo:      info,
	}}, nil
}
