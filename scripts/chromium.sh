#!/bin/sh
# Makes sure that a browser can be started: Chromium is there, or is installed from Debian's package, with fonts for what
# the examples show.
set -eu

if command -v chromium >/dev/null; then
    exit
fi
if ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then
    echo 'This needs Chromium. On Debian: sudo apt-get install chromium fonts-liberation fonts-lohit-deva' >&2
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update --quiet
apt-get install --quiet --yes --no-install-recommends chromium fonts-liberation fonts-lohit-deva
command -v chromium
