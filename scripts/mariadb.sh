#!/bin/sh
# Makes sure that a MariaDB server can be started: its programs are there, or are installed from Debian's package.
set -eu

if PATH="$PATH:/usr/sbin" command -v mariadbd >/dev/null; then
    exit
fi
"$(dirname "$0")/apt_install.sh" 'the programs of a MariaDB server. On Debian and Ubuntu' mariadb-server
PATH="$PATH:/usr/sbin" command -v mariadbd >/dev/null
