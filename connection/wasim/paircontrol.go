package wasim

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
)

// pairRoutes are what may happen while a client is being linked.
func pairRoutes() []route {
	return []route{
		{"POST", "/require-passkey", "have the next linking of the account ask for its passkey", `{"account":"491515550100"}`, controlRequirePasskey},
		{"POST", "/sign-passkey", "sign a passkey's request, as a browser does", `{"message":{"challenge":"…","rpId":"whatsapp.com"}}`, controlSignPasskey},
		{"POST", "/refuse-codes", "refuse to make codes for numbers with an error code, 0 makes them again", `{"code":"429"}`, controlRefuseCodes},
		{"POST", "/refuse-passkeys", "refuse every passkey's response with an error code, 0 takes them again", `{"code":"403"}`, controlRefusePasskeys},
	}
}

func controlRequirePasskey(_ context.Context, s *Server, in request) (any, error) {
	return nil, s.withAccount(in, func(a *Account) error { return a.RequirePasskey() })
}

func controlSignPasskey(_ context.Context, s *Server, in request) (out any, err error) {
	err = s.withAccount(in, func(a *Account) error {
		response, err := a.SignPasskey(in.Message)
		out = json.RawMessage(response)
		return err
	})
	return out, err
}

func controlRefuseCodes(_ context.Context, s *Server, in request) (any, error) {
	return nil, withNumber(in, s.RefuseCodes)
}

func controlRefusePasskeys(_ context.Context, s *Server, in request) (any, error) {
	return nil, withNumber(in, s.RefusePasskeys)
}

func withNumber(in request, do func(int)) error {
	code, err := strconv.Atoi(in.Code)
	if err != nil {
		return fmt.Errorf("code %q is not a number", in.Code)
	}
	do(code)
	return nil
}
