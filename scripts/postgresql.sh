#!/bin/sh
# Makes sure that a PostgreSQL server can be started: its programs are there, or are installed from Debian's package.
set -eu

installed() {
    command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1
}

if installed; then
    exit
fi
"$(dirname "$0")/apt_install.sh" 'the programs of a PostgreSQL server. On Debian and Ubuntu' postgresql
installed
