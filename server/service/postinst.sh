#!/bin/sh
# An upgrade restarts the daemon alone: networks and their dnsmasq stay up.
set -e
if [ "$1" = configure ] && [ -z "$DPKG_ROOT" ]; then
  if command -v systemd-sysusers >/dev/null; then systemd-sysusers vnet.conf; fi
  if command -v systemd-tmpfiles >/dev/null; then systemd-tmpfiles --create vnet.conf || true; fi
  if [ -d /run/systemd/system ]; then
    systemctl daemon-reload
    if [ -z "$2" ]; then
      systemctl enable --now vnetd.socket vnetd-ro.socket
      systemctl enable vnetd.service
    fi
    systemctl restart vnetd.service || true
  fi
fi
