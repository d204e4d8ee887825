#!/bin/sh
set -e
if [ "$1" = purge ]; then
  rm -rf "$DPKG_ROOT/etc/vnet" "$DPKG_ROOT/var/lib/vnet" "$DPKG_ROOT/run/vnet"
fi
if [ -z "$DPKG_ROOT" ] && [ -d /run/systemd/system ]; then systemctl daemon-reload || true; fi
