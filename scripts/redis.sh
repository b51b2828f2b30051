#!/bin/sh
# Makes sure that a Redis server can be started: its program is there, or is installed from Debian's package.
set -eu

if command -v redis-server >/dev/null; then
    exit
fi
"$(dirname "$0")/apt_install.sh" 'the program of a Redis server. On Debian and Ubuntu' redis-server
command -v redis-server >/dev/null
