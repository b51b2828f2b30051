#!/bin/sh
# Makes sure that a PostgreSQL server can be started: its programs are there, or are installed from Debian's package.
set -eu

installed() {
    command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1
}

if installed; then
    exit
fi
if ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then
    echo 'This needs the programs of a PostgreSQL server. On Debian and Ubuntu: sudo apt-get install postgresql' >&2
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update --quiet
apt-get install --quiet --yes --no-install-recommends postgresql
installed
