package config

import (
	"errors"
	"net/url"
)

// checkAlert says what is wrong with the URL that is told of alarms. Where it leads is judged when
// it is called.
func checkAlert(v string) error {
	u, err := url.Parse(v)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return errors.New("give a whole URL, like https://alerts.example/in")
	case u.User != nil:
		return errors.New("give it without a user and a password: a token goes into the path or the query")
	case u.Fragment != "":
		return errors.New("leave out what follows the #: it is never sent")
	}
	return nil
}

// alertShown is the URL as far as it holds no token.
func alertShown(v string) string {
	u, err := url.Parse(v)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host + "/…"
}
