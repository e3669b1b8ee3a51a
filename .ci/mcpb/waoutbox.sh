#!/bin/sh
# Starts the program for this machine's processor: a bundle has one entry for all of them.
case "$(uname -m)" in
  aarch64 | arm64) arch=arm64 ;;
  *) arch=amd64 ;;
esac
exec "$(dirname "$0")/waoutbox-linux-$arch" "$@"
