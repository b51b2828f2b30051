#!/bin/sh
# Installs Debian's packages: `apt_install.sh "what needs them" package ...`; says how, if it may not.
set -eu

needed=$1
shift
if ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then
    echo "This needs $needed: sudo apt-get install $*" >&2
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update --quiet
apt-get install --quiet --yes --no-install-recommends "$@"
