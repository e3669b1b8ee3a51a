package config

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"

	"waoutbox/connection/whatsappurl"
)

// sealedUser is the user name of a proxy whose password is the sealed USER:PASSWORD.
const sealedUser = "sealed"

// proxyOwner is whom sealed credentials belong to.
const proxyOwner = "setting " + KeyWhatsAppProxy

// checkProxy accepts a proxy whose credentials are there, sealed, or not needed.
func checkProxy(v string) error {
	if err := whatsappurl.CheckProxy(v); err != nil {
		return err
	}
	_, _, err := sealedCredentials(v)
	return err
}

// proxyShown is a proxy without its credentials.
func proxyShown(v string) string {
	u, err := whatsappurl.ParseProxy(v)
	switch {
	case v == whatsappurl.ProxyFromEnvironment:
		return v
	case err != nil:
		return "(set)"
	case u.User == nil:
		return u.String()
	}
	u.User = nil
	return u.String() + " (with credentials)"
}

// HasProxyCredentials reports whether a proxy's credentials stand there as they are.
func HasProxyCredentials(v string) bool {
	u, err := whatsappurl.ParseProxy(v)
	_, sealed, _ := sealedCredentials(v)
	return err == nil && u.User != nil && sealed == nil
}

// SealProxy replaces a proxy's credentials by sealed ones. One that has none is returned as it is.
func SealProxy(v string, seal func(plain []byte, owner string) ([]byte, error)) (string, error) {
	if !HasProxyCredentials(v) {
		return v, nil
	}
	u, err := whatsappurl.ParseProxy(v)
	if err != nil {
		return "", err
	}
	sealed, err := seal([]byte(u.User.String()), proxyOwner)
	if err != nil {
		return "", fmt.Errorf("seal the credentials of whatsapp-proxy: %w", err)
	}
	u.User = url.UserPassword(sealedUser, base64.RawURLEncoding.EncodeToString(sealed))
	return u.String(), nil
}

// UnsealProxy is the opposite.
func UnsealProxy(v string, unseal func(sealed []byte, owner string) ([]byte, error)) (string, error) {
	u, sealed, err := sealedCredentials(v)
	if err != nil || sealed == nil {
		return v, err
	}
	plain, err := unseal(sealed, proxyOwner)
	if err != nil {
		return "", fmt.Errorf("the credentials of whatsapp-proxy cannot be read (%w)", err)
	}
	open, err := url.Parse(u.Scheme + "://" + string(plain) + "@" + u.Host)
	if err != nil {
		return "", errors.New("the credentials of whatsapp-proxy are damaged: set it again")
	}
	return open.String(), nil
}

// sealedCredentials returns what is sealed in a proxy, nil if nothing is.
func sealedCredentials(v string) (*url.URL, []byte, error) {
	u, err := whatsappurl.ParseProxy(v)
	if err != nil || u.User.Username() != sealedUser {
		return nil, nil, nil //nolint:nilerr // what is no URL has nothing sealed
	}
	text, _ := u.User.Password()
	sealed, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(sealed) == 0 {
		return nil, nil, fmt.Errorf("the user name %q is kept for credentials that were sealed here, and these are damaged: set whatsapp-proxy again", sealedUser)
	}
	return u, sealed, nil
}
