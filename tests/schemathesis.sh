#!/usr/bin/env bash
# Sends a temporary node many valid and invalid requests generated from its own /openapi.json.
#
#   tests/schemathesis.sh [EXAMPLES] [SEED]
#
# EXAMPLES is the number of requests per operation and phase (default 600, well over 5,000 in total).
# SEED repeats a run. The variable BLOCKCHAIN names the program under test; without it
# target/debug/blockchain is built. Needs python3 and schemathesis (pip install schemathesis); with
# pip alone, schemathesis is installed into a temporary folder.
#
# The requests carry no token, so that the node gets no neighbours and dials nobody.
set -euo pipefail
cd "$(dirname "$0")/.."

examples=${1:-600}
seed=${2:-$RANDOM}
folder=$(mktemp -d)
node=
cleanup() {
    if [ -n "$node" ]; then
        kill "$node" 2>/dev/null || true
        wait "$node" 2>/dev/null || true
    fi
    rm -rf "$folder"
}
trap cleanup EXIT

if command -v schemathesis >/dev/null; then
    schemathesis=schemathesis
elif python3 -m venv "$folder/venv" 2>/dev/null &&
    "$folder/venv/bin/pip" install --quiet --disable-pip-version-check "schemathesis>=4.32,<5"; then
    schemathesis=$folder/venv/bin/schemathesis
else
    echo "schemathesis is missing and cannot be installed (pip install schemathesis)" >&2
    exit 3
fi

if [ -z "${BLOCKCHAIN:-}" ]; then
    cargo build --locked
    BLOCKCHAIN=${CARGO_TARGET_DIR:-target}/debug/blockchain
fi
"$BLOCKCHAIN" node --db "$folder/node" --port 0 --threads 1 --difficulty 1 2>"$folder/log" &
node=$!
address=
for _ in $(seq 100); do
    address=$(sed -n 's/.*"address":"\([^"]*\)".*/\1/p' "$folder/node/node.address" 2>/dev/null || true)
    [ -n "$address" ] && break
    sleep 0.1
done
if [ -z "$address" ]; then
    echo "the node did not start:" >&2
    cat "$folder/log" >&2
    exit 1
fi

# schemathesis leaves a folder where it runs.
config=$PWD/tests/schemathesis.toml
cd "$folder"
"$schemathesis" --config-file "$config" run "http://$address/openapi.json" \
    --seed "$seed" --max-examples "$examples" --phases examples,coverage,fuzzing \
    --continue-on-failure --request-timeout 10 --generation-database none --no-color

if ! kill -0 "$node" 2>/dev/null || grep -E 'ERROR|panicked' "$folder/log" >&2; then
    echo "the node logged an internal error" >&2
    exit 1
fi
