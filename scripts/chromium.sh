#!/bin/sh
# Makes sure that a browser can be started: Chromium is there, or is installed from Debian's package, with fonts for what
# the examples show.
set -eu

if command -v chromium >/dev/null; then
    exit
fi
"$(dirname "$0")/apt_install.sh" 'Chromium. On Debian' chromium fonts-liberation fonts-lohit-deva
command -v chromium
