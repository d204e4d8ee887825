#!/bin/sh
# Nothing is stopped for an upgrade. A removal stops the daemon; networks that guests use stay up.
set -e
if [ "$1" = remove ] && [ -z "$DPKG_ROOT" ] && [ -d /run/systemd/system ]; then
  systemctl disable --now vnetd.service vnetd.socket vnetd-ro.socket vnetd-tcp.socket vnetd-tls.socket || true
fi
