#!/usr/bin/env bash
# Runs a command and prints how long it took: `timed.sh "what it is" command ...`.
name=$1
shift
"$@"
status=$?
printf '%s: %d min %02d s\n' "$name" $((SECONDS / 60)) $((SECONDS % 60))
exit $status
