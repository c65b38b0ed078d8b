#!/usr/bin/env bash
# Builds and runs the three nodes of docker/docker-compose.yaml: every message reaches all nodes; one
# node is disconnected, one is killed, and all containers are recreated, without losing a message.
# Exit code 3: it cannot run here.
# Usage: tests/docker.sh [SECONDS] [IMAGE]
# SECONDS is the time that a node is disconnected (30). IMAGE is the image of an earlier version,
# which then creates the files.
set -euo pipefail
cd "$(dirname "$0")/../docker"

seconds=${1:-30}
earlier=${2:-}

cannot() {
    echo "$1" >&2
    exit 3
}
docker info >/dev/null 2>&1 || cannot "no Docker engine answers"
if docker compose version >/dev/null 2>&1; then
    compose() { docker compose "$@"; }
elif command -v docker-compose >/dev/null; then
    compose() { docker-compose "$@"; }
else
    cannot "docker-compose is missing"
fi
for base in $(sed -n 's/^FROM \([^ ]*\).*/\1/p' Dockerfile); do
    docker image inspect "$base" >/dev/null 2>&1 || docker pull -q "$base" ||
        cannot "the image $base cannot be pulled"
done
builder=$(sed -n 's/^FROM \(rust[^ ]*\).*/\1/p' Dockerfile)
docker run --rm "$builder" cargo info -q libc >/dev/null 2>&1 ||
    cannot "the crate registry cannot be reached from a container"

# Own folders, names and ports, apart from those of the user.
DOCKER_CONFIG=${DOCKER_CONFIG:-$HOME/.docker}
HOME=$(mktemp -d)
mkdir -m 0700 "$HOME/.blockchain"
export DOCKER_CONFIG HOME COMPOSE_PROJECT_NAME=blockchain-test-$$ BLOCKCHAIN_IMAGE=blockchain-test-$$
export PORT_1=0 PORT_2=0 PORT_3=0 PORT_UI=0
added=$HOME/added
clean_up() {
    status=$?
    if [ $status -ne 0 ]; then
        compose logs --tail 50 || true
    fi
    compose down -t 5 >/dev/null 2>&1 || true
    # The folders belong to the user of the containers.
    docker run --rm --user 0 -v "$HOME:/home" --entrypoint rm "$image" -rf /home/.blockchain || true
    docker rmi "$image" >/dev/null 2>&1 || true
    rm -rf "$HOME"
}
image=$BLOCKCHAIN_IMAGE
trap clean_up EXIT
trap 'exit 1' INT TERM

step() { printf '\n-- %s\n' "$*"; }

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

# Runs a command in the container of a node.
inside() { docker exec "$(compose ps -q "$1")" "${@:2}"; }

# Adds a message on a node and records its acknowledgement.
add() {
    inside "$1" blockchain add "$2" >/dev/null || fail "$1 did not accept $2"
    echo "$2" >>"$added"
}

# Waits until a command succeeds.
wait_for() {
    local deadline=$((SECONDS + 120))
    until "$@" >/dev/null 2>&1; do
        if [ $SECONDS -gt $deadline ]; then fail "timed out: $*"; fi
        sleep 0.5
    done
}

healthy() {
    for node in "$@"; do
        test "$(docker inspect -f '{{.State.Health.Status}}' "$(compose ps -q "$node")")" = healthy
    done
}

tip() { inside "$1" blockchain get block tip --json | grep '"hash"'; }

mempool_is_empty() { inside "$1" blockchain get data | grep -qx '0 pending'; }

one_chain() {
    local first
    first=$(tip node1)
    test "$first" = "$(tip node2)" && test "$first" = "$(tip node3)" &&
        mempool_is_empty node1 && mempool_is_empty node2 && mempool_is_empty node3
}

# Every acknowledged message is on every node exactly once.
nothing_is_lost() {
    wait_for one_chain
    for node in node1 node2 node3; do
        inside "$node" blockchain export --format csv |
            grep -o 'message [0-9a-z]* of [0-9a-z]*' | sort >"$HOME/$node"
        sort "$added" | diff - "$HOME/$node" >&2 || fail "$node has other messages"
    done
    echo "$(wc -l <"$added") messages, each once on all three: $(tip node1)"
}

step "build"
compose build
if [ -n "$earlier" ]; then
    export BLOCKCHAIN_IMAGE=$earlier
fi

step "start with ${earlier:-this version}"
compose up -d --no-build
wait_for healthy node1 node2 node3
inside node1 blockchain --version
address=$(compose port node1 12345)
exec 9<>"/dev/tcp/${address%:*}/${address##*:}"
printf 'GET /health HTTP/1.0\r\n\r\n' >&9
grep -q '200 OK' <&9 || fail "$address does not answer"
exec 9>&-

step "a message added on one node reaches all"
for node in node1 node2 node3; do add "$node" "message 1 of $node"; done
nothing_is_lost

step "node3 is disconnected for $seconds s while all add"
network=$(docker inspect -f '{{range $name, $_ := .NetworkSettings.Networks}}{{$name}}{{end}}' \
    "$(compose ps -q node3)")
docker network disconnect "$network" "$(compose ps -q node3)"
end=$((SECONDS + seconds))
count=1
while [ $SECONDS -lt $end ]; do
    count=$((count + 1))
    for node in node1 node2 node3; do add "$node" "message $count of $node"; done
done
if [ "$(tip node1)" = "$(tip node3)" ]; then fail "node3 was not disconnected"; fi
docker network connect --alias node3 "$network" "$(compose ps -q node3)"
begin=$SECONDS
nothing_is_lost
echo "one chain after $((SECONDS - begin)) s"

step "node2 is killed while it mines, and started again"
for count in 1 2 3 4 5; do add node2 "message k$count of node2"; done
docker kill "$(compose ps -q node2)" >/dev/null
add node1 "message meanwhile of node1"
docker start "$(compose ps -q node2)" >/dev/null
wait_for healthy node2
nothing_is_lost

step "all are stopped and recreated with this version"
begin=$SECONDS
compose stop
echo "stopped within $((SECONDS - begin)) s"
for node in node1 node2 node3; do
    code=$(docker inspect -f '{{.State.ExitCode}}' "$(compose ps -aq "$node")")
    test "$code" = 0 || fail "$node ended with $code"
done
compose rm -f >/dev/null
export BLOCKCHAIN_IMAGE=$image
compose up -d --no-build
wait_for healthy node1 node2 node3
inside node1 blockchain --version
add node3 "message last of node3"
nothing_is_lost

step "passed"
